"""Events as corrections see them: quantities of each event, and fields of each object."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from taipan.columns.expressions import Expression, parse_expression
from taipan.columns.stored import SelectedObjects, StoredObjects

Array = NDArray[Any]
parse_cached = cache(parse_expression)


class Valued(Protocol):
    """Events or objects, of which expressions have a value."""

    @property
    def number(self) -> int:
        """How many there are."""

    def evaluate(self, expression: Expression) -> Array:
        """Value of an expression of each, shape (number,), float64."""


class EventView:
    """Events that pass the selection.

    Parameters
    ----------
    columns
        Stored columns.
    quantities
        Quantity → values, shape (n,), with ``passes``.
    stored
        How objects are selected; None where nobody said.
    """

    def __init__(
        self,
        columns: Mapping[str, Array],
        quantities: Mapping[str, Array],
        stored: StoredObjects | None,
    ) -> None:
        passes = np.asarray(quantities["passes"])
        self.rows: Array | None = None if passes.all() else np.flatnonzero(passes)
        self._columns, self._quantities, self._stored = columns, quantities, stored
        self._events = len(passes)
        self._values: dict[str, Array] = {}
        self._collections: dict[str, SelectedObjects] = {}
        self._objects: dict[tuple[str, str | None], ObjectView] = {}

    @property
    def number(self) -> int:
        """Number of events that pass."""
        return self._events if self.rows is None else len(self.rows)

    def quantity(self, name: str) -> Array:
        """Return a quantity of the events that pass, as float64."""
        values = self._quantities[name]
        chosen = values if self.rows is None else values[self.rows]
        return np.asarray(chosen, dtype=np.float64)

    def evaluate(self, expression: Expression) -> Array:
        """Value of an expression of each event."""
        if expression.text not in self._values:
            names = {name: self.quantity(name) for name in expression.names}
            found = np.asarray(expression.evaluate(names), dtype=np.float64)
            self._values[expression.text] = np.broadcast_to(found, self.number)
        return self._values[expression.text]

    def objects(self, collection: str, where: str | None) -> ObjectView:
        """Return the selected objects of a collection for which `where`, if any, is true."""
        key = (collection, where)
        if key not in self._objects:
            whole = self._whole(collection)
            chosen = None
            if where is not None:
                everything = ObjectView(self, whole, None)
                chosen = np.flatnonzero(everything.evaluate(parse_cached(where)) != 0.0)
            self._objects[key] = ObjectView(self, whole, chosen)
        return self._objects[key]

    def _whole(self, collection: str) -> SelectedObjects:
        if collection not in self._collections:
            assert self._stored is not None  # refused when the configuration was checked
            needed = self._columns
            if self.rows is not None:
                rows = self.rows
                depends = self._stored.depends[collection]
                needed = {name: self._columns[name][rows] for name in depends}
            self._collections[collection] = self._stored.select(needed, collection)
        return self._collections[collection]

    def spread(self, values: Array, outside: float | bool) -> Array:
        """Put values of the events that pass in their places; the others have `outside`."""
        if self.rows is None:
            return values
        whole = np.full(self._events, outside, dtype=values.dtype)
        whole[self.rows] = values
        return whole


class ObjectView:
    """Some selected objects of events, one event's after the other's.

    Parameters
    ----------
    events
        The events.
    selected
        All selected objects of the collection.
    chosen
        Positions of those that are looked at; None for all.
    """

    def __init__(self, events: EventView, selected: SelectedObjects, chosen: Array | None) -> None:
        self._events, self._selected, self._chosen = events, selected, chosen
        self._values: dict[str, Array] = {}
        self._where = selected.event if chosen is None else selected.event[chosen]
        self._starts = np.flatnonzero(np.diff(self._where, prepend=-1))
        self._filled = self._where[self._starts]

    @property
    def number(self) -> int:
        """Number of objects."""
        return len(self._where)

    def evaluate(self, expression: Expression) -> Array:
        """Value of an expression of each object; names are its fields, then the event's."""
        if expression.text not in self._values:
            names = {name: self._value(name) for name in expression.names}
            found = np.asarray(expression.evaluate(names), dtype=np.float64)
            self._values[expression.text] = np.broadcast_to(found, self.number)
        return self._values[expression.text]

    def multiply(self, factors: Array) -> Array:
        """Multiply the factors of the objects of each event, shape (events,); 1 without any."""
        product = np.ones(self._events.number)
        if len(factors):
            alone = len(self._starts) == len(factors)
            of_event = factors if alone else np.multiply.reduceat(factors, self._starts)
            product[self._filled] = of_event
        return product

    def any(self, flags: Array) -> Array:
        """Tell of which events a flag of an object is set, shape (events,)."""
        found = np.zeros(self._events.number, dtype=bool)
        if flags.any():
            found[self._where[flags]] = True
        return found

    def _value(self, name: str) -> Array:
        if name in self._selected.names:
            values = self._selected.field(name)
            return values if self._chosen is None else values[self._chosen]
        return self._events.quantity(name)[self._where]
