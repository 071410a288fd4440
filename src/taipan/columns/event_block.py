"""Events as columns, the objects of a collection stored one after the other.

A selection keeps few of the objects that a file holds. Here a collection (muons, taus, jets) has
one flat array a branch and one number of objects an event: a cut compares flat arrays, and a column
that only selected objects need is picked out for those alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Lists:
    """A list of values an event.

    Attributes
    ----------
    values
        The values of all lists, one list after the other.
    counts
        Number of values of each list, shape (n,).

    Raises
    ------
    ValueError
        If a count is negative, or they do not add up to the number of values.
    """

    values: Array
    counts: Array

    def __post_init__(self) -> None:
        """Refuse counts that do not fit."""
        if self.counts.min(initial=0) < 0:
            raise ValueError(f"a list of {self.counts.min()} values")
        if self.counts.sum() != len(self.values):
            raise ValueError(f"lists of {self.counts.sum()} values, but {len(self.values)} given")

    def __len__(self) -> int:
        """Return the number of lists."""
        return len(self.counts)


class Objects:
    """Objects of one collection in n events, each column flat.

    Parameters
    ----------
    columns
        Name → values of every object that was read.
    counts
        Number of chosen objects in each event, shape (n,).
    index
        Position of each chosen object among those that were read, ascending; None: all.
    event
        Event of each chosen object, ascending; None: as `counts` says.
    """

    def __init__(
        self,
        columns: Mapping[str, Array],
        counts: Array,
        index: Array | None = None,
        event: Array | None = None,
    ) -> None:
        self._columns = columns
        self._index = index
        self._event = event
        self.counts = counts

    def __len__(self) -> int:
        """Return the number of chosen objects."""
        return int(self.counts.sum())

    @property
    def event(self) -> Array:
        """Event of each chosen object, ascending."""
        if self._event is None:
            self._event = np.repeat(np.arange(len(self.counts)), self.counts)
        return self._event

    def __getitem__(self, name: str) -> Array:
        """Return the values of a column for the chosen objects."""
        values = self._columns[name]
        chosen = values if self._index is None else values[self._index]
        return chosen.astype(chosen.dtype.newbyteorder("="), copy=False)

    def __contains__(self, name: str) -> bool:
        """Tell whether there is such a column."""
        return name in self._columns

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(self._columns)

    @property
    def index(self) -> Array:
        """Position of each chosen object among those that were read, ascending."""
        return np.arange(len(self)) if self._index is None else self._index

    def take(self, index: Array, counts: Array) -> Objects:
        """Return other objects of those that were read: their positions, and how many an event."""
        return Objects(self._columns, counts, index)

    def gathered(self) -> Objects:
        """Return the chosen objects as all that there is: each column is picked out once."""
        return Objects({name: self[name] for name in self._columns}, self.counts)

    @property
    def starts(self) -> Array:
        """Position of the first chosen object of each event, shape (n,)."""
        starts: Array = np.cumsum(self.counts) - self.counts
        return starts

    def any(self, mask: Array) -> Array:
        """Tell for each event whether `mask` is true for one of its objects, shape (n,)."""
        found = np.zeros(len(self.counts), dtype=bool)
        found[self.event[mask]] = True
        return found

    def where(self, mask: Array) -> Objects:
        """Return the objects for which `mask` is true."""
        chosen = np.flatnonzero(mask)
        event = self.event[chosen]
        counts = np.bincount(event, minlength=len(self.counts))
        return Objects(self._columns, counts, self._origin(chosen), event)

    def of_events(self, mask: Array) -> Objects:
        """Return the objects of the events for which `mask`, shape (n,), is true."""
        rows = np.flatnonzero(mask)
        counts = self.counts[rows]
        chosen = _join_ranges(self.starts[rows], counts)
        return Objects(self._columns, counts, self._origin(chosen))

    def lists(self, name: str) -> Lists:
        """Return a column as lists."""
        return Lists(self[name], self.counts)

    def _origin(self, chosen: Array) -> Array:
        return chosen if self._index is None else self._index[chosen]


def pair_up(first: Objects, second: Objects) -> tuple[Array, Array]:
    """Return the positions in `first` and in `second` of every pair within an event."""
    partners = second.counts[first.event]
    left = np.repeat(np.arange(len(first)), partners)
    return left, _join_ranges(second.starts[first.event], partners)


def _join_ranges(starts: Array, lengths: Array) -> Array:
    """Return start, start + 1, ... of the first range, then of the second, and so on."""
    before = np.cumsum(lengths) - lengths
    joined: Array = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    return joined


class EventBlock:
    """A range of events of a file.

    Parameters
    ----------
    scalars
        Branch → array of shape (n,).
    collections
        Collection → its objects.
    """

    def __init__(self, scalars: Mapping[str, Array], collections: Mapping[str, Objects]) -> None:
        self._scalars = scalars
        self._collections = collections

    @classmethod
    def from_columns(cls, columns: Mapping[str, Array | Lists], mask: Array) -> EventBlock:
        """Take the events for which `mask`, shape (n,), is true.

        A branch with a list an event is a column of the collection before its first underscore,
        whose branches have equally many objects in each event.
        """
        scalars: dict[str, Array] = {}
        values: dict[str, dict[str, Array]] = {}
        counts: dict[str, Array] = {}
        for branch, column in columns.items():
            if not isinstance(column, Lists):
                scalars[branch] = column[mask]
                continue
            collection, _, name = branch.partition("_")
            counts.setdefault(collection, column.counts)
            values.setdefault(collection, {})[name] = column.values
        found = {c: Objects(values[c], counts[c]).of_events(mask).gathered() for c in values}
        return cls(scalars, found)

    def __getitem__(self, name: str) -> Array:
        """Return a scalar branch."""
        return self._scalars[name]

    def __contains__(self, name: str) -> bool:
        """Tell whether there is such a scalar branch."""
        return name in self._scalars

    @property
    def number(self) -> int:
        """Number of events."""
        for values in self._scalars.values():
            return len(values)
        return len(next(iter(self._collections.values())).counts) if self._collections else 0

    def where(self, mask: Array) -> EventBlock:
        """Return the events for which `mask`, shape (n,), is true."""
        return EventBlock(
            {name: values[mask] for name, values in self._scalars.items()},
            {name: objects.of_events(mask) for name, objects in self._collections.items()},
        )

    def has_objects(self, collection: str) -> bool:
        """Tell whether there are objects of this collection."""
        return collection in self._collections

    def objects(self, collection: str) -> Objects:
        """Return the objects of a collection."""
        return self._collections[collection]

    def columns(self) -> Iterator[tuple[str, Array | Lists]]:
        """Give every branch with its values, one an event or a list of them."""
        yield from self._scalars.items()
        for collection, objects in self._collections.items():
            for name in objects.names():
                yield f"{collection}_{name}", objects.lists(name)

    def with_scalars(self, **scalars: Array) -> EventBlock:
        """Return the same events with further scalar branches."""
        return EventBlock({**self._scalars, **scalars}, self._collections)

    def scalars(self, names: Iterable[str], mask: Array) -> dict[str, Array]:
        """Return scalar branches for the events where `mask` is true."""
        return {name: self._scalars[name][mask] for name in names}
