"""Branches of a tree as flat columns.

uproot makes an array of lists of each branch: offsets, and values in the byte order of the machine.
All branches of a collection have the same offsets, and few values outlive the trigger; here the
offsets are made once a collection and the bytes are turned round in what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray
from uproot.interpretation.jagged import AsJagged
from uproot.interpretation.numerical import AsDtype

from taipan.columns.event_block import Lists

Array = NDArray[Any]


@dataclass(frozen=True)
class _Basket:
    """Values of a range of entries and where each entry begins and the last one ends."""

    values: Array
    offsets: Array

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def trim(self, start: int, stop: int) -> _Basket:
        """Return entries `start` to `stop`."""
        if (start, stop) == (0, len(self)):
            return self
        edges = self.offsets[start : stop + 1] // self.values.itemsize
        return _Basket(self.values[edges[0] : edges[-1]], self.offsets[start : stop + 1])


@dataclass(frozen=True)
class _Flat:
    """Values of a branch, and the baskets that say how many belong to each entry."""

    values: Array
    baskets: Sequence[_Basket]

    def counts(self) -> Array:
        """Return the number of values of each entry, shape (n,)."""
        steps = [np.zeros(0, np.int64)] + [np.diff(basket.offsets) for basket in self.baskets]
        counts: Array = np.concatenate(steps) // self.values.itemsize
        return counts


class _AsFlat(AsJagged):  # type: ignore[misc]  # uproot has no types
    """Interpretation of a branch with a list of numbers an entry, in the byte order of the file."""

    def basket_array(self, data: Array, byte_offsets: Any, basket: Any, *_: Any) -> _Basket:
        """Take a basket as it is."""
        values = data.view(self.content.from_dtype)
        if byte_offsets is None:
            counts = np.asarray(basket.counts) * values.itemsize
            byte_offsets = np.concatenate([[0], np.cumsum(counts)])
        return _Basket(values, byte_offsets)

    def final_array(
        self,
        basket_arrays: Mapping[int, _Basket],
        entry_start: int,
        entry_stop: int,
        entry_offsets: Sequence[int],
        *_: Any,
    ) -> _Flat:
        """Join baskets and cut off entries outside of the range."""
        parts: list[_Basket] = []
        for number in sorted(basket_arrays):
            low, high = entry_offsets[number], entry_offsets[number + 1]
            start, stop = max(entry_start, low), min(entry_stop, high)
            if start < stop:
                parts.append(basket_arrays[number].trim(start - low, stop - low))
        none = np.zeros(0, self.content.from_dtype)
        return _Flat(np.concatenate([none, *(part.values for part in parts)]), parts)


def read_columns(
    tree: Any, names: Sequence[str], start: int, stop: int
) -> dict[str, Array | Lists]:
    """Read entries `start` to `stop` of a TTree or RNTuple.

    Returns
    -------
    dict
        Branch → array of shape (n,), or :class:`Lists` where it has a list of numbers an entry;
        those of one collection (what is before the first underscore) share their counts.

    Raises
    ------
    ValueError
        If branches of one collection differ in the number of objects.
    """
    if not isinstance(tree, uproot.behaviors.TTree.TTree):
        arrays = tree.arrays(list(names), entry_start=start, entry_stop=stop)
        return {name: _from_awkward(arrays[name]) for name in names}
    wanted = [(name, _flat_interpretation(tree[name].interpretation)) for name in names]
    arrays = tree.arrays(
        wanted, entry_start=start, entry_stop=stop, array_cache=None, library="np", how=dict
    )
    counts: dict[str, Array] = {}
    columns: dict[str, Array | Lists] = {}
    for name in names:
        column = arrays[name]
        if isinstance(column, _Flat):
            collection = name.partition("_")[0]
            if collection not in counts:
                counts[collection] = column.counts()
            column = Lists(column.values, counts[collection])
        columns[name] = column
    return columns


def _flat_interpretation(found: Any) -> Any:
    if isinstance(found, AsJagged) and isinstance(found.content, AsDtype):
        return _AsFlat(found.content, found.header_bytes)
    return found


def _from_awkward(values: Any) -> Array | Lists:
    layout = ak.to_layout(values)
    if layout.purelist_depth == 1:
        return np.asarray(ak.to_numpy(layout))
    lists = layout.to_ListOffsetArray64(start_at_zero=True)
    offsets = np.asarray(lists.offsets)
    return Lists(np.asarray(ak.to_numpy(lists.content))[: offsets[-1]], np.diff(offsets))
