"""Quantities of stored events, computed again after a shift only where something changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from taipan.columns.events import Events, PaddedSource
from taipan.errors import TaipanError

Array = NDArray[Any]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Step:
    """A function that computes quantities.

    Attributes
    ----------
    function
        ``events -> quantities`` for the first step, ``(events, known) -> quantities`` for others.
    columns
        Stored columns that it looks at.
    known
        Quantities of earlier steps that it looks at.
    makes
        Quantities that it computes.
    """

    function: Callable[..., Mapping[str, Any]]
    columns: tuple[str, ...]
    known: tuple[str, ...]
    makes: tuple[str, ...]


@dataclass(frozen=True)
class Computation:
    """All steps of an analysis.

    Attributes
    ----------
    steps
        In order; only the first one decides which events pass.
    selectors
        Collection → function that selects its objects.
    types
        Stored column → NumPy type.
    """

    steps: tuple[Step, ...]
    selectors: Mapping[str, Callable[[Any], Any]]
    types: Mapping[str, str]

    def compute(self, columns: Columns) -> dict[str, Array]:
        """Compute every quantity of every event.

        Parameters
        ----------
        columns
            Stored columns, objects padded with NaN.

        Returns
        -------
        dict
            Quantity → array of shape (n,), and ``passes``: whether the event is selected. The
            quantities of an event that is not are NaN.
        """
        return self.recompute(columns, {}, frozenset())

    def recompute(
        self, columns: Columns, known: Mapping[str, Array], unchanged: frozenset[str]
    ) -> dict[str, Array]:
        """Compute every quantity of events after a shift.

        Parameters
        ----------
        columns
            Shifted columns.
        known
            Quantities of the same events before the shift.
        unchanged
            Columns that the shift left as they were.
        """
        out: dict[str, Array] = {}
        for step in self.steps:
            n = len(out["passes"]) if out else len(columns[step.columns[0]])
            wanted = out.get("passes", np.ones(n, dtype=bool))
            if known and unchanged.issuperset(step.columns):
                same = known["passes"] & wanted if out else np.ones(n, dtype=bool)
                for name in step.known:
                    same = same & (out[name] == known[name])
                out |= {name: known[name] for name in ("passes", *step.makes) if name not in out}
                wanted = wanted & ~same
                if not wanted.any():
                    continue
            self._run(step, columns, out, wanted)
        return out

    def _run(self, step: Step, columns: Columns, out: dict[str, Array], wanted: Array) -> None:
        """Run a step for some events and put what it makes in its place."""
        n = len(wanted)
        source = PaddedSource(columns, self.types, step.columns or tuple(self.types)[:1])
        everything = bool(wanted.all())
        events = Events(source if everything else source.of_events(wanted), objects=self.selectors)
        if "passes" in out:
            chosen = slice(None) if everything else wanted
            earlier = SimpleNamespace(**{name: out[name][chosen] for name in step.known})
            made = dict(step.function(events, earlier))
            rows = wanted
        else:
            made = dict(step.function(events))
            rows = _to_numpy(made.pop("passes", np.ones(n, dtype=bool))).astype(bool)
            _check_length("passes", rows, n)
            out["passes"] = rows
        whole = bool(rows.all())
        for name in step.makes:
            values = _to_numpy(made[name])
            _check_length(name, values, int(rows.sum()), n)
            if not whole:
                spread = out[name].copy() if name in out else np.full(n, np.nan)
                spread[rows] = values if len(values) != n or rows is wanted else values[rows]
                values = spread
            out[name] = values


def _check_length(name: str, values: Array, *allowed: int) -> None:
    if len(values) not in allowed:
        raise TaipanError(
            f"quantities of the selection: '{name}' has {len(values)} values (allowed: "
            f"{allowed[0]}, one for each event{' that passes' if len(allowed) > 1 else ''})"
        )


def _to_numpy(values: Any) -> Array:
    """Return numbers as an array, missing ones as NaN."""
    if isinstance(values, ak.Array):
        values = ak.to_numpy(values, allow_missing=True)
    array = np.asarray(values) if not np.ma.isMaskedArray(values) else values
    if array.dtype == bool and not np.ma.isMaskedArray(array):
        return array
    array = array.astype(np.float64, copy=False)
    return np.ma.filled(array, np.nan) if np.ma.isMaskedArray(array) else array
