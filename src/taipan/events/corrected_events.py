"""Weights of corrected events when a correction, or their objects, have other values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, AppliedCorrections, Columns, CorrectionGroup
from taipan.events.load import DatasetEvents
from taipan.events.weights import multiply

Array = NDArray[Any]


@dataclass(frozen=True)
class CorrectedEvents:
    """Weights of events under other values of their corrections, or of their columns.

    Attributes
    ----------
    events
        Simulated events, corrected.
    corrections
        What corrects them.
    quantities
        Of these events.
    factors
        Correction → its nominal factor, shape (n,).
    """

    events: DatasetEvents
    corrections: AppliedCorrections
    quantities: Columns
    factors: Columns

    @classmethod
    def of(
        cls, events: DatasetEvents, analysis: Analysis, quantities: Columns
    ) -> CorrectedEvents | None:
        """Look at the events of a dataset; None where nothing is corrected."""
        corrections, weights = analysis.corrections, events.weights
        if corrections is None or weights is None:
            return None
        known = events.quantities if events.quantities is not None else quantities
        factors = weights.factors or corrections.weigh(events.name, events.columns, known)
        return cls(events, corrections, known, factors)

    def vary(self, name: str, pull: float) -> Array:
        """Give the weights with one correction at `pull` σ, shape (n,)."""
        weights = self.events.weights
        assert weights is not None
        own, nominal = self.factors[name], weights.nominal
        varied = self.corrections.vary(
            name, self.events.name, self.events.columns, self.quantities, pull
        )
        found = nominal * np.divide(varied, own, out=np.ones_like(varied), where=own != 0.0)
        vanished = np.flatnonzero((own == 0.0) & (varied != 0.0))
        if len(vanished):  # a factor of 0 hides the others
            others = {key: v[vanished] for key, v in self.factors.items() if key != name}
            product = multiply({**others, name: varied[vanished]})
            found[vanished] = weights.plain[vanished] * product
        return np.asarray(found)

    def weigh_rows(
        self,
        rows: Array,
        columns: Columns,
        quantities: Columns,
        unchanged: frozenset[str],
        regions: Iterable[Array],
    ) -> Array | None:
        """Give the weights of some events whose columns were shifted; None if none is corrected.

        Only factors whose inputs have changed are looked up again, of events in a region.

        Parameters
        ----------
        rows
            Their places among the events, shape (m,).
        columns, quantities
            After the shift, shape (m,).
        unchanged
            Columns that the shift left as they were.
        regions
            Whether they are in each region after the shift, shape (m,).
        """
        if not self.factors:
            return None
        weights = self.events.weights
        assert weights is not None
        found = weights.nominal[rows]
        again = np.zeros(len(rows), dtype=bool)
        used = np.logical_or.reduce([again, *regions])
        for group in self.corrections.groups:
            changed = self._is_stale(group, rows, columns, quantities, unchanged)
            stale = np.flatnonzero(changed & used)
            if not len(stale):
                continue
            factors = self._weigh(stale, columns, quantities, group.columns, group.names)
            for name, new in factors.items():
                old = self.factors[name][rows[stale]]
                found[stale] *= np.divide(new, old, out=np.ones_like(new), where=old != 0.0)
                again[stale] |= old == 0.0
        vanished = np.flatnonzero(again)
        if len(vanished):  # a factor of 0 hides the others
            needed = frozenset().union(*(group.columns for group in self.corrections.groups))
            factors = self._weigh(vanished, columns, quantities, needed, None)
            found[vanished] = weights.plain[rows[vanished]] * multiply(factors)
        return np.asarray(found)

    def _is_stale(
        self,
        group: CorrectionGroup,
        rows: Array,
        columns: Columns,
        quantities: Columns,
        unchanged: frozenset[str],
    ) -> Array:
        """Tell of which events something that a group depends on has changed, shape (rows,)."""
        stale = np.zeros(len(rows), dtype=bool)
        for name in ("passes", *group.quantities):
            stale |= _differ(quantities[name], self.quantities[name][rows])
        for name in group.columns - unchanged:
            before = self.events.columns[name][rows]
            stale |= _differ(columns[name], before).reshape(len(rows), -1).any(axis=1)
        return stale

    def _weigh(
        self,
        places: Array,
        columns: Columns,
        quantities: Columns,
        needed: frozenset[str],
        names: tuple[str, ...] | None,
    ) -> Columns:
        """Look factors up of some of the shifted events."""
        if len(places) == len(quantities["passes"]):
            return self.corrections.weigh(self.events.name, columns, quantities, names)
        used = dict.fromkeys(key for group in self.corrections.groups for key in group.quantities)
        return self.corrections.weigh(
            self.events.name,
            {name: columns[name][places] for name in needed},
            {name: quantities[name][places] for name in ("passes", *used)},
            names,
        )

    def replace(self, rows: Array, values: Array) -> Array:
        """Give the nominal weights with those of some events replaced."""
        weights = self.events.weights
        assert weights is not None
        replaced = weights.nominal.copy()
        replaced[rows] = values
        return replaced


def _differ(new: Array, old: Array) -> Array:
    """Tell where values differ; two that are missing (NaN) are the same."""
    differ = new != old
    if differ.any() and new.dtype.kind == "f":
        differ &= ~(np.isnan(new) & np.isnan(old))
    return np.asarray(differ)
