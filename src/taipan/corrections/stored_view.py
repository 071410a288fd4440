"""All stored objects of a collection, before any selection, as corrections of energies see them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.columns.expressions import Expression
from taipan.columns.shifts import Columns

Array = NDArray[Any]


class StoredView:
    """Stored objects, one event's after the other's.

    Parameters
    ----------
    columns
        Stored columns, objects padded with NaN.
    collection
        Which objects.
    """

    def __init__(self, columns: Columns, collection: str) -> None:
        self._columns, self._collection = columns, collection
        momenta = columns[f"{collection}_pt"]
        self._shape = momenta.shape
        self._index = np.flatnonzero(~np.isnan(momenta))
        self._events = self._index // momenta.shape[1]

    @property
    def number(self) -> int:
        """Number of objects."""
        return len(self._index)

    def field(self, name: str) -> Array:
        """Return a field of each object, or a column with one value an event."""
        column = f"{self._collection}_{name}"
        if column in self._columns:
            return np.asarray(self._columns[column].ravel()[self._index])
        return np.asarray(self._columns[name][self._events])

    def evaluate(self, expression: Expression) -> Array:
        """Value of an expression of each object, shape (number,), float64."""
        names = {name: self.field(name).astype(np.float64) for name in expression.names}
        found = np.asarray(expression.evaluate(names), dtype=np.float64)
        return np.broadcast_to(found, self.number)

    def pad(self, values: Array, fill: float | bool) -> Array:
        """Put values of the objects in their places, shape (events, objects)."""
        padded = np.full(self._shape, fill, dtype=values.dtype)
        padded.ravel()[self._index] = values
        return padded
