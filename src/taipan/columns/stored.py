"""Objects of stored events, as a selection chooses them, for what acts on each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from taipan.columns.events import Events, PaddedSource
from taipan.columns.shifts import Balance

Array = NDArray[Any]


@dataclass(frozen=True)
class StoredObjects:
    """How the objects of stored events are selected.

    Attributes
    ----------
    selectors
        Collection → function that selects its objects.
    types
        Stored column → NumPy type.
    balance
        What the momentum of an event is made of.
    loosened
        Collection → key of ``skim.envelope`` by which the skim loosens its thresholds.
    jagged
        Stored columns with a list of values an event.
    depends
        Collection → stored columns that its selected objects depend on.
    """

    selectors: Mapping[str, Callable[[Any], Any]]
    types: Mapping[str, str]
    balance: Balance
    loosened: Mapping[str, str]
    jagged: frozenset[str]
    depends: Mapping[str, frozenset[str]]

    def fields(self, collection: str) -> tuple[str, ...]:
        """List the stored fields of a collection."""
        start = f"{collection}_"
        return tuple(name.removeprefix(start) for name in self.types if name.startswith(start))

    def select(self, columns: Mapping[str, Array], collection: str) -> SelectedObjects:
        """Select the objects of a collection in stored events, which are padded with NaN."""
        source = PaddedSource(columns, self.types, sorted(self.depends[collection]))
        events = Events(source, objects=self.selectors)
        objects = getattr(events, collection)
        counts = np.asarray(ak.num(objects, axis=1))
        return SelectedObjects(ak.flatten(objects, axis=1), counts)


class SelectedObjects:
    """Selected objects of a collection, one event's after the other's.

    Parameters
    ----------
    record
        Awkward record of flat arrays.
    counts
        Objects of each event, shape (n,).

    Attributes
    ----------
    names
        Fields of an object.
    event
        Position of the event of each object.
    """

    def __init__(self, record: Any, counts: Array) -> None:
        self._record = record
        self.counts = counts
        self.names = frozenset(ak.fields(record))
        self.event = np.repeat(np.arange(len(counts)), counts)
        self._fields: dict[str, Array] = {}

    def field(self, name: str) -> Array:
        """Return a field of each object, as float64."""
        if name not in self._fields:
            self._fields[name] = np.asarray(self._record[name], dtype=np.float64)
        return self._fields[name]
