"""A correction that is a table of numbers, looked up in one step.

Most scale factors are numbers in bins of two inputs, with the same bins everywhere. correctionlib
follows its tree of nodes for each object; a table with the same numbers takes a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.corrections.ranges import Node, list_edges

Array = NDArray[Any]
_LARGEST_TABLE = 1_000_000
_Axes = tuple[tuple[str, tuple[float, ...], bool], ...]


@dataclass(frozen=True)
class DenseTable:
    """Numbers in bins.

    Attributes
    ----------
    axes
        In order: input; bin edges, or values of a category in ascending order; whether it is one.
    numbers
        Flat, the last axis fastest.
    """

    axes: _Axes
    numbers: Array

    def look_up(self, values: Mapping[str, Array], number: int) -> Array | None:
        """Give the number of each event or object; None if one is in no category.

        Parameters
        ----------
        values
            Input → values inside the bins, shape (number,).
        number
            How many there are.
        """
        place: Array = np.zeros(number, dtype=np.intp)
        for name, marks, is_category in self.axes:
            if is_category:
                bins = np.searchsorted(marks, values[name], "left")
                bins = np.minimum(bins, len(marks) - 1)
                if not np.array_equal(np.asarray(marks)[bins], values[name]):
                    return None
                size = len(marks)
            else:
                bins = _find_bins(marks, values[name])
                size = len(marks) - 1
            place = bins if len(self.axes) == 1 else place * size + bins
        return np.asarray(self.numbers[place])


def _find_bins(edges: Sequence[float], values: Array) -> Array:
    """Find the bin of each value, shape (n,); comparing with few edges is faster than searching."""
    if len(edges) > 12:
        return np.asarray(np.searchsorted(edges, values, "right") - 1)
    bins = np.zeros(len(values), dtype=np.int8)
    for edge in edges[1:-1]:
        bins += values >= edge
    return bins


def make_table(node: Node, texts: Mapping[str, str]) -> DenseTable | None:
    """Make a table of the tree of a correction; None where it is none.

    Parameters
    ----------
    node
        Tree, as JSON.
    texts
        Input of type ``string`` → its text.
    """
    found = _densify(node, texts)
    if found is None:
        return None
    axes, numbers = found
    return DenseTable(axes, numbers.ravel())


def _densify(node: Node, texts: Mapping[str, str]) -> tuple[_Axes, Array] | None:
    if isinstance(node, int | float):
        return (), np.asarray(float(node))
    if not isinstance(node, Mapping):
        return None
    match node["nodetype"]:
        case "category" if node["input"] in texts:
            for entry in node["content"]:
                if entry["key"] == texts[node["input"]]:
                    return _densify(entry["value"], texts)
            return None
        case "category" if node.get("default") is None:
            entries = sorted(node["content"], key=lambda entry: entry["key"])
            keys = tuple(float(entry["key"]) for entry in entries)
            own: _Axes = ((node["input"], keys, True),)
            return _stack(own, [entry["value"] for entry in entries], texts)
        case "binning" | "multibinning" if node["flow"] != "wrap":
            axes = [
                (name, tuple(edges), False)
                for name, edges in list_edges(node)
            ]  # fmt: skip
            return _stack(tuple(axes), node["content"], texts)
    return None


def _stack(
    own: _Axes, content: Sequence[Node], texts: Mapping[str, str]
) -> tuple[_Axes, Array] | None:
    """Put the tables of the children of a node side by side, if they have the same axes."""
    parts: list[tuple[_Axes, Array]] = []
    for child in content:
        found = _densify(child, texts)
        if found is None or (parts and found[0] != parts[0][0]):
            return None
        parts.append(found)
    if not parts:
        return None
    inner, names = parts[0][0], {axis[0] for axis in own}
    if any(axis[0] in names for axis in inner) or len(names) < len(own):
        return None
    numbers = np.stack([part[1] for part in parts])
    if numbers.size > _LARGEST_TABLE:
        return None
    return (*own, *inner), numbers
