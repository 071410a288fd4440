"""Rows of events: some of a block, those of several variations together, and where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Columns
from taipan.config.sections.observables import Observable, filled_quantities
from taipan.events.variations import Variation

Array = NDArray[Any]


class Rows(Mapping[str, Array]):
    """Some rows of columns, picked when a column is asked for."""

    def __init__(self, columns: Mapping[str, Array], rows: Array) -> None:
        self._columns = columns
        self._rows = rows
        self._picked: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._picked:
            self._picked[name] = self._columns[name][self._rows]
        return self._picked[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


class Joined(Mapping[str, Array]):
    """The same columns of several parts, one after the other, when a column is asked for."""

    def __init__(self, parts: Sequence[Mapping[str, Array]]) -> None:
        self._parts = parts
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._made:
            self._made[name] = np.concatenate([part[name] for part in self._parts])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts[0])

    def __len__(self) -> int:
        return len(self._parts[0])


@dataclass(frozen=True)
class Located:
    """Where each event is.

    Attributes
    ----------
    quantities
        Of the nominal events; a variation has none.
    regions, samples
        Name → bool array, shape (n,).
    bins, control
        Observable and control quantity → position on its axis with flow bins, shape (n,). One name
        may be both, with other bins.
    """

    quantities: Mapping[str, Array]
    regions: Mapping[str, Array]
    samples: Mapping[str, Array]
    bins: Mapping[str, Array]
    control: Mapping[str, Array]


@dataclass(frozen=True)
class Moved:
    """Events that a kinematic variation changes.

    Attributes
    ----------
    variation
        What changes them.
    rows
        Their places in the block.
    columns
        Their columns after the shift.
    unchanged
        Columns that the shift leaves as they were.
    """

    variation: Variation
    rows: Array
    columns: Columns
    unchanged: frozenset[str]


def find_bins(
    quantities: Mapping[str, Array],
    regions: Mapping[str, Array],
    observables: Mapping[str, Observable],
) -> dict[str, Array]:
    """Find the position of each event of a region on each axis, with flow bins."""
    used = np.flatnonzero(np.logical_or.reduce(list(regions.values())))
    bins = {}
    sources = filled_quantities(observables)
    for name, observable in observables.items():
        bins[name] = np.zeros(len(quantities["passes"]), dtype=np.intp)
        axis = hist.axis.Variable(observable.binning)
        # a missing value (NaN) belongs to the overflow bin
        bins[name][used] = axis.index(quantities[sources[name]][used]) + 1
    return bins


def replace_rows(nominal: Located, rows: Array, found: Located, part: slice) -> Located:
    """Put a part of what was found in its rows of the nominal."""

    def put(kind: str) -> dict[str, Array]:
        after = {}
        for name, values in getattr(found, kind).items():
            after[name] = getattr(nominal, kind)[name].copy()
            after[name][rows] = values[part]
        return after

    return Located({}, put("regions"), put("samples"), put("bins"), put("control"))
