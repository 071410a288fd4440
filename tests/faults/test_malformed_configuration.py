"""Malformed configurations, mutations of the valid one: each is refused, and the key named."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taipan.analysis import load_analysis
from taipan.config.checks import check_config
from taipan.config.load import load_catalogue, load_config, read_config
from taipan.errors import TaipanError
from tests.conftest import ROOT

VALID: dict[str, Any] = read_config([], ROOT).model_dump(mode="json", exclude_none=True)
FREE_NAMES = ("samples", "regions", "observables", "systematics", "fastsim.events")
"""Mappings whose keys are names of the user's choice."""
FREE_TEXT = ("title", "label", "unit", "results", "source", "group", "skims", "files")


def load(content: dict[str, Any]) -> None:
    config = load_config(content, ROOT)
    check_config(config, load_catalogue(config, ROOT), load_analysis(config.module))


def paths(node: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of all keys of nested mappings."""
    if not isinstance(node, dict):
        return []
    found = []
    for key, value in node.items():
        found.append((*path, key))
        found += paths(value, (*path, key))
    return found


def get(content: dict[str, Any], path: tuple[str, ...]) -> Any:
    for key in path:
        content = content[key]
    return content


KEYS = paths(VALID)
LEAVES = [path for path in KEYS if not isinstance(get(VALID, path), dict)]
NUMBERS = [path for path in LEAVES if isinstance(get(VALID, path), int | float)]
TEXTS = [
    path
    for path in LEAVES
    if isinstance(get(VALID, path), str) and path[-1] not in FREE_TEXT and path != ("module",)
]


def misspell(word: str, seed: int) -> str:
    place = random.Random(seed).randrange(len(word) + 1)
    return f"{word[:place]}q{word[place:]}"


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, tuple[str, ...], Any]:
    """Kind of damage, path of the key, and the new value."""
    kind = draw(st.sampled_from(["misspelt key", "wrong type", "not a number", "unknown name"]))
    if kind == "misspelt key":
        fixed = [path for path in KEYS if ".".join(path[:-1]) not in FREE_NAMES]
        path = draw(st.sampled_from(fixed))
        return kind, path, misspell(path[-1], draw(st.integers(0, 99)))
    if kind == "wrong type":
        path = draw(st.sampled_from(LEAVES))
        return kind, path, {"surprise": draw(st.sampled_from([1, "text", [1, 2]]))}
    if kind == "not a number":
        path = draw(st.sampled_from(NUMBERS))
        values = ["many", float("nan"), float("inf"), -float("inf"), [], -1e300]
        return kind, path, draw(st.sampled_from(values))
    path = draw(st.sampled_from(TEXTS))
    return kind, path, draw(st.sampled_from(["no_such_thing", "", "1 +", "__import__('os')", "é"]))


def damage(kind: str, path: tuple[str, ...], value: Any) -> dict[str, Any]:
    content = copy.deepcopy(VALID)
    parent = get(content, path[:-1])
    if kind == "misspelt key":
        parent[value] = parent.pop(path[-1])
    else:
        parent[path[-1]] = value
    return content


def test_unchanged_configuration_is_valid() -> None:
    load(copy.deepcopy(VALID))


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(mutation=mutations())
def test_damage_is_refused_and_named(mutation: tuple[str, tuple[str, ...], Any]) -> None:
    kind, path, value = mutation
    with pytest.raises(TaipanError) as refused:  # any other exception would be a traceback
        load(damage(kind, path, value))
    message = str(refused.value)
    assert (value if kind == "misspelt key" else path[-1]) in message
    assert len(message) < 20_000
