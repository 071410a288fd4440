"""Which values lie outside the bins of a correction, and the nearest ones inside.

A correctionlib file says what happens outside (an error, the edge bin, another number) and nobody
is told. Here its tree of nodes is followed along the values of the inputs, so that they are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Node = Any
"""A node of a correctionlib tree, as JSON: a number or a mapping with `nodetype`."""
Box = dict[str, tuple[float, float]]
"""Input → range of its bins, the same for all values of the others."""


def list_texts(node: Node, name: str) -> tuple[list[str], bool]:
    """List what the categories of an input know, and whether one of them has a default."""
    keys: dict[str, None] = {}
    default = False
    for item in _walk(node):
        if item["nodetype"] == "category" and item["input"] == name:
            keys |= dict.fromkeys(str(entry["key"]) for entry in item["content"])
            default |= item.get("default") is not None
    return list(keys), default


def list_ranges(node: Node, name: str) -> list[tuple[float, float]]:
    """List the different ranges that the bins of an input have."""
    found = {
        (low, high)
        for item in _walk(node)
        for axis, low, high in _axes(item)
        if axis == name and item["flow"] != "wrap"
    }
    return sorted(found)


def settle(
    node: Node,
    values: Mapping[str, Array],
    texts: Mapping[str, str],
    known: dict[int, Box | None],
) -> tuple[dict[str, Array], Array]:
    """Find the values outside of the bins that they would be looked up in.

    Parameters
    ----------
    node
        Tree of the correction.
    values
        Input → values, shape (n,).
    texts
        Input of type ``string`` → its text.
    known
        What is known already of the nodes with these texts; what is found is added.

    Returns
    -------
    inside, outside
        The values, those outside moved into the nearest bin; and which they were, shape (n,).
    """
    inside = dict(values)
    n = len(next(iter(values.values()))) if values else 0
    outside = np.zeros(n, dtype=bool)
    if n:
        _Walker(texts, inside, outside, known).visit(node, None)
    return inside, outside


class _Walker:
    """Follows the tree; `inside` and `outside` are filled."""

    def __init__(
        self,
        texts: Mapping[str, str],
        inside: dict[str, Array],
        outside: Array,
        known: dict[int, Box | None],
    ) -> None:
        self._texts, self._inside, self._outside = texts, inside, outside
        self._known = known
        self._hidden: set[str] = set()
        self._changed: set[str] = set()

    def visit(self, node: Node, rows: Array | None) -> None:
        """Look at some of the rows (None: all), which reach this node."""
        if not isinstance(node, Mapping) or (rows is not None and not len(rows)):
            return
        box = None if self._hidden else self._box(node)
        if box is not None:
            for name, (low, high) in box.items():
                self._confine(name, low, high, rows)
            return
        match node["nodetype"]:
            case "category":
                self._choose(node, rows)
            case "transform":
                self._hidden.add(node["input"])
                self.visit(node["content"], rows)
                self._hidden.discard(node["input"])
            case "binning" | "multibinning":
                self._divide(node, rows)

    def _box(self, node: Node) -> Box | None:
        """Give the range of each input below a node, None if it depends on the path."""
        if not isinstance(node, Mapping):
            return {}
        if id(node) not in self._known:
            self._known[id(node)] = self._find_box(node)
        return self._known[id(node)]

    def _find_box(self, node: Node) -> Box | None:
        match node["nodetype"]:
            case "category" if node["input"] in self._texts:
                return self._box(self._of_text(node))
            case "category":
                children = [entry["value"] for entry in node["content"]]
                children += [node["default"]] if node.get("default") is not None else []
            case "binning" | "multibinning":
                children = node["content"]
            case "transform":
                return None
            case _:
                return {}
        boxes = []
        for child in children:
            boxes.append(self._box(child))
            if boxes[-1] is None or boxes[-1] != boxes[0]:
                return None
        box = dict(boxes[0] or {}) if boxes else {}
        for name, low, high in _axes(node):
            if name in box:
                return None
            if node["flow"] != "wrap":
                box[name] = (low, high)
        return box

    def _of_text(self, node: Node) -> Node:
        for entry in node["content"]:
            if entry["key"] == self._texts[node["input"]]:
                return entry["value"]
        return node.get("default")

    def _choose(self, node: Node, rows: Array | None) -> None:
        if node["input"] in self._texts:
            self.visit(self._of_text(node), rows)
            return
        rows = self._all(rows)
        left = np.ones(len(rows), dtype=bool)
        values = self._inside[node["input"]][rows]
        for entry in node["content"]:
            same = values == entry["key"]
            left &= ~same
            self.visit(entry["value"], rows[same])
        self.visit(node.get("default"), rows[left])

    def _divide(self, node: Node, rows: Array | None) -> None:
        rows = self._all(rows)
        place = np.zeros(len(rows), dtype=np.int64)
        edges = [node["edges"]] if node["nodetype"] == "binning" else node["edges"]
        for (name, low, high), axis in zip(_axes(node), edges, strict=True):
            if name in self._hidden:
                return  # which bin is used is not known here
            if node["flow"] != "wrap":
                self._confine(name, low, high, rows)
            values = self._inside[name][rows]
            if node["flow"] == "wrap":
                values = low + np.mod(values - low, high - low)
            limits = np.asarray(_edges(axis))
            bins = np.clip(np.searchsorted(limits, values, "right") - 1, 0, len(limits) - 2)
            place = place * (len(limits) - 1) + bins
        for index in np.unique(place):
            self.visit(node["content"][index], rows[place == index])

    def _confine(self, name: str, low: float, high: float, rows: Array | None) -> None:
        values = self._inside[name] if rows is None else self._inside[name][rows]
        wrong = (values < low) | (values >= high)
        if not wrong.any():
            return
        places = np.flatnonzero(wrong) if rows is None else rows[wrong]
        self._outside[places] = True
        if name not in self._changed:
            self._inside[name] = self._inside[name].copy()
            self._changed.add(name)
        self._inside[name][places] = np.clip(values[wrong], low, np.nextafter(high, -np.inf))

    def _all(self, rows: Array | None) -> Array:
        return np.arange(len(self._outside)) if rows is None else rows


def _walk(node: Node) -> Iterator[Any]:
    """Yield every node of a tree that is no number."""
    if not isinstance(node, Mapping):
        return
    yield node
    content = node.get("content")
    for child in content if isinstance(content, list) else [content]:
        if isinstance(child, Mapping) and "nodetype" not in child:
            yield from _walk(child["value"])
        else:
            yield from _walk(child)
    for key in ("flow", "default"):
        yield from _walk(node.get(key))


def _axes(node: Node) -> list[tuple[str, float, float]]:
    """Give input, first and last edge of each axis of a node with bins."""
    return [(name, edges[0], edges[-1]) for name, edges in list_edges(node)]


def list_edges(node: Node) -> list[tuple[str, list[float]]]:
    """Give input and edges of each axis of a node with bins; none of another node."""
    if node["nodetype"] == "binning":
        return [(node["input"], _edges(node["edges"]))]
    if node["nodetype"] == "multibinning":
        pairs = zip(node["inputs"], node["edges"], strict=True)
        return [(name, _edges(axis)) for name, axis in pairs]
    return []


def _edges(axis: Any) -> list[float]:
    if isinstance(axis, Mapping):
        return [float(x) for x in np.linspace(axis["low"], axis["high"], axis["n"] + 1)]
    return [float(edge) for edge in axis]
