"""Regions that are divided into ranges of quantities: several regions out of one.

`regions: {signal: {split: {mass: [60, 80, 100]}}}` makes the regions `signal_mass0` to
`signal_mass3` out of `signal`, before anything else reads the configuration: fitting the score in
each of them is fitting score and mass in two dimensions. The sources of estimates are divided in
the same way, and what names the region in a list then names all of its parts. The region itself
stays, with role estimate: it is trained in and drawn, not fitted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_LISTS = ("samples", "systematics", "corrections")
"""Sections whose entries may have a list `regions`."""


def expand_split_regions(content: Mapping[str, Any]) -> dict[str, Any]:
    """Divide the regions that have `split`.

    Parameters
    ----------
    content
        Plain values of a configuration, perhaps not valid; what is not understood is left to the
        validation.

    Returns
    -------
    dict
        The same with more regions.
    """
    expanded = dict(content)
    regions = content.get("regions")
    for name, region in regions.items() if isinstance(regions, Mapping) else ():
        ranges = _read_ranges(region)
        if ranges:
            labels = {quantity: _find_label(quantity, content) for quantity, _ in ranges}
            expanded = _divide(expanded, str(name), ranges, labels)
    return expanded


def _read_ranges(region: Any) -> list[tuple[str, list[float]]]:
    """Give the quantities and the edges between ranges; nothing if a region is not to be divided.

    What is no list of increasing numbers is left to the validation.
    """
    wanted = region.get("split") if isinstance(region, Mapping) else None
    if not isinstance(wanted, Mapping) or not isinstance(region.get("cut"), str):
        return []
    found = [(str(name), edges) for name, edges in wanted.items()]
    for _, edges in found:
        numbers = isinstance(edges, list) and all(
            isinstance(edge, int | float) and not isinstance(edge, bool) for edge in edges
        )
        if not numbers or not edges or any(b <= a for a, b in itertools.pairwise(edges)):
            return []
    return found


def _find_label(quantity: str, content: Mapping[str, Any]) -> tuple[str, str]:
    """Give label and unit of a quantity, as figures of it have them."""
    for section in ("observables", "control_plots"):
        entries = content.get(section)
        item = entries.get(quantity) if isinstance(entries, Mapping) else None
        if isinstance(item, Mapping) and isinstance(item.get("label"), str):
            unit = item.get("unit")
            return item["label"], f" {unit}" if isinstance(unit, str) and unit else ""
    return quantity, ""


def _list_parts(
    ranges: Sequence[tuple[str, list[float]]], labels: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, str, str]]:
    """Give ending of the name, cut and label of each part; ranges at the ends are open."""
    axes = []
    for quantity, edges in ranges:
        label, unit = labels[quantity]
        parts = []
        for i, (low, high) in enumerate(itertools.pairwise([-math.inf, *edges, math.inf])):
            terms = [f"{quantity} >= {low:.12g}"] if i else []
            terms += [f"{quantity} < {high:.12g}"] if i < len(edges) else []
            said = f"{label} < {high:g}" if not i else f"{low:g} ≤ {label}"
            said += f" < {high:g}" if 0 < i < len(edges) else ""
            parts.append((f"_{quantity}{i}", " and ".join(terms), f"{said}{unit}"))
        axes.append(parts)
    for cell in itertools.product(*axes):
        names, cuts, texts = zip(*cell, strict=True)
        yield "".join(names), " and ".join(cuts), ", ".join(texts)


def _divide(
    content: Mapping[str, Any],
    name: str,
    ranges: Sequence[tuple[str, list[float]]],
    labels: Mapping[str, tuple[str, str]],
) -> dict[str, Any]:
    """Put the parts beside a region and beside the sources of its estimates."""
    cells = list(_list_parts(ranges, labels))
    samples = content.get("samples")
    entries = samples.values() if isinstance(samples, Mapping) else ()
    sources = {pairs[name] for pairs in map(_sources, entries) if name in pairs}
    regions: dict[str, Any] = {}
    for old, item in content["regions"].items():
        regions[old] = item
        if old != name and old not in sources:
            continue
        if not isinstance(item, Mapping) or not isinstance(item.get("cut"), str):
            continue
        text = item.get("label") or old
        for ending, cut, said in cells:
            part = {**item, "cut": f"({item['cut']}) and {cut}", "label": f"{text}, {said}"}
            regions[f"{old}{ending}"] = {**part, "split": None}
        if old == name:
            whole = {"cut": item["cut"], "label": item.get("label", ""), "role": "estimate"}
            regions[old] = {**whole, "split": item["split"]}
    endings = [ending for ending, _, _ in cells]
    changed = {**content, "regions": regions}
    for section in _LISTS:
        items = content.get(section)
        if isinstance(items, Mapping):
            changed[section] = {key: _in_entry(item, name, endings) for key, item in items.items()}
    fit = content.get("fit")
    if isinstance(fit, Mapping):
        changed["fit"] = {**fit, "leave_out": _in_list(fit.get("leave_out", []), name, endings)}
    return changed


def _sources(sample: Any) -> Mapping[str, Any]:
    """Give region → region whose events stand for an estimated sample in it."""
    estimate = sample.get("estimate") if isinstance(sample, Mapping) else None
    pairs = estimate.get("regions") if isinstance(estimate, Mapping) else None
    return pairs if isinstance(pairs, Mapping) else {}


def _in_entry(item: Any, name: str, endings: Sequence[str]) -> Any:
    """Replace a region in the list of an entry, and add its parts to those of an estimate."""
    if not isinstance(item, Mapping):
        return item
    changed = dict(item)
    if isinstance(item.get("regions"), list):
        changed["regions"] = _in_list(item["regions"], name, endings)
    pairs = _sources(item)
    if name in pairs:
        parts = {f"{name}{ending}": f"{pairs[name]}{ending}" for ending in endings}
        changed["estimate"] = {**item["estimate"], "regions": {**pairs, **parts}}
    return changed


def _in_list(value: Any, name: str, endings: Sequence[str]) -> Any:
    if not isinstance(value, list):
        return value
    parts = [f"{name}{ending}" for ending in endings]
    return [found for item in value for found in (parts if item == name else [item])]
