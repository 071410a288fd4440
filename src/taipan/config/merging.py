"""Mappings of plain values, one put over another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `overrides` over `base`: mappings key by key, anything else replaces.

    An `estimate` with another `method` replaces the whole: its keys are others.
    """
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        if key == "estimate" and _is_other_method(below, value):
            merged[key] = dict(value)
        elif isinstance(value, Mapping):
            merged[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def find_difference(base: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Give what, merged over `base`, gives `wanted`: the inverse of :func:`merge`.

    A null stands for an entry of `base` that `wanted` has not.
    """
    found: dict[str, Any] = {key: None for key in base if key not in wanted}
    for key, value in wanted.items():
        below = base.get(key)
        if key in base and below == value:
            continue
        is_new = not (isinstance(value, Mapping) and isinstance(below, Mapping))
        replaced = is_new or (key == "estimate" and _is_other_method(below, value))
        found[key] = value if replaced else find_difference(below or {}, value)
    return found


def _is_other_method(below: Any, value: Any) -> bool:
    if not (isinstance(below, Mapping) and isinstance(value, Mapping)):
        return False
    return "method" in value and value["method"] != below.get("method")
