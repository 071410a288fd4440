"""Weights of corrected events when a correction, or their objects, have other values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, AppliedCorrections, Columns
from taipan.events.load import DatasetEvents

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
            others = [values[vanished] for key, values in self.factors.items() if key != name]
            product = np.prod([np.ones(len(vanished)), *others], axis=0)
            found[vanished] = weights.plain[vanished] * product * varied[vanished]
        return np.asarray(found)

    def weigh_rows(
        self, rows: Array, columns: Columns, quantities: Columns, unchanged: frozenset[str]
    ) -> Array | None:
        """Give the weights of some events whose columns were shifted; None if none is corrected.

        Parameters
        ----------
        rows
            Their places among the events, shape (m,).
        columns, quantities
            After the shift, shape (m,).
        unchanged
            Columns that the shift left as they were.
        """
        if not self.factors:
            return None
        weights = self.events.weights
        assert weights is not None
        before = {name: values[rows] for name, values in self.factors.items()}
        nominal = {
            name: self.quantities[name][rows] for name in ("passes", *self.corrections.quantities)
        }
        factors = self.corrections.weigh_again(
            self.events.name, columns, quantities, (before, nominal), unchanged
        )
        return np.asarray(weights.plain[rows] * np.prod([*factors.values()], axis=0))

    def replace(self, rows: Array, values: Array) -> Array:
        """Give the nominal weights with those of some events replaced."""
        weights = self.events.weights
        assert weights is not None
        replaced = weights.nominal.copy()
        replaced[rows] = values
        return replaced
