"""Malformed configurations, mutations of the valid one: each is refused, and the key named."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taipan.analysis_selection import load_analysis
from taipan.checks.configuration import check_config
from taipan.checks.eras import check_one_period
from taipan.cli.main import main
from taipan.config.fields import KeyPath, format_path
from taipan.config.load import load_catalogue, load_config, read_config
from taipan.errors import TaipanError
from tests.conftest import ROOT

Mutation = tuple[str, KeyPath, Any]
VALID: dict[str, Any] = read_config([], ROOT).model_dump(
    mode="json", exclude_none=True, exclude={"folder"}
)
FREE_NAMES = ("samples", "regions", "observables", "systematics", "fastsim.events")
"""Mappings whose keys are names of the user's choice."""
FREE_TEXT = ("title", "experiment", "label", "unit", "results", "source", "group", "skims", "files")


def load(content: dict[str, Any]) -> None:
    config = load_config(content, ROOT)
    check_config(config, load_catalogue(config), load_analysis(config.folder, config.quantities))
    for problem in check_one_period(config):
        raise TaipanError(problem)


def paths(node: Any, path: KeyPath = ()) -> list[KeyPath]:
    """Paths of all keys of nested mappings and all items of lists."""
    items: Any = ()
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, list):
        items = enumerate(node)
    found: list[KeyPath] = []
    for key, value in items:
        found.append((*path, key))
        found += paths(value, (*path, key))
    return found


def get(content: Any, path: KeyPath) -> Any:
    for key in path:
        content = content[key]
    return content


KEYS = paths(VALID)
LEAVES = [path for path in KEYS if not isinstance(get(VALID, path), dict)]
NAMES = [
    path for path in KEYS if isinstance(path[-1], str) and format_path(path[:-1]) not in FREE_NAMES
]
NUMBERS = [path for path in LEAVES if isinstance(get(VALID, path), int | float)]
TEXTS = [
    path for path in LEAVES if isinstance(get(VALID, path), str) and not set(FREE_TEXT) & set(path)
]


def misspell(word: str, seed: int) -> str:
    place = random.Random(seed).randrange(len(word) + 1)
    return f"{word[:place]}q{word[place:]}"


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    """Kind of damage, path of the key, and the new value."""
    kind = draw(st.sampled_from(["misspelt key", "wrong type", "not a number", "unknown name"]))
    if kind == "misspelt key":
        path = draw(st.sampled_from(NAMES))
        return kind, path, misspell(str(path[-1]), draw(st.integers(0, 99)))
    if kind == "wrong type":
        path = draw(st.sampled_from(LEAVES))
        return kind, path, {"surprise": draw(st.sampled_from([1, "text", [1, 2]]))}
    if kind == "not a number":
        path = draw(st.sampled_from(NUMBERS))
        values = ["many", float("nan"), float("inf"), -float("inf"), [], -1e300]
        return kind, path, draw(st.sampled_from(values))
    path = draw(st.sampled_from(TEXTS))
    return kind, path, draw(st.sampled_from(["no_such_thing", "", "1 +", "__import__('os')", "é"]))


def damage(kind: str, path: KeyPath, value: Any) -> dict[str, Any]:
    content = copy.deepcopy(VALID)
    parent = get(content, path[:-1])
    if kind == "misspelt key":
        parent[value] = parent.pop(path[-1])
    else:
        parent[path[-1]] = value
    return content


def test_unchanged_configuration_is_valid() -> None:
    load(copy.deepcopy(VALID))


def test_damage_is_refused_and_named() -> None:
    """The message has the whole path of what was damaged."""
    seen: set[str] = set()

    @settings(
        max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(mutation=mutations())
    def check(mutation: Mutation) -> None:
        kind, path, value = mutation
        seen.add(repr(mutation))
        with pytest.raises(TaipanError) as refused:  # any other exception would be a traceback
            load(damage(kind, path, value))
        message = str(refused.value)
        where = format_path((*path[:-1], value) if kind == "misspelt key" else path)
        assert where in message, f"{mutation}: {message[:2000]}"
        assert len(message) < 20_000

    check()
    assert len(seen) >= 50


@pytest.mark.parametrize(
    ("overlay", "line"),
    [
        ("features: [m_vis, 3]", "features[1]: 3 is not allowed"),
        ("training: {epochs: .nan}", "training.epochs: NaN is not allowed"),
        ("regions: {signal: {cuts: x}}", "regions.signal.cuts: 'cuts' is not a key"),
    ],
)
def test_command_says_it_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], overlay: str, line: str
) -> None:
    (tmp_path / "o.yaml").write_text(overlay, encoding="utf-8")
    assert main(["config", "check", "--root", str(ROOT), "--config", str(tmp_path / "o.yaml")]) == 1
    message = capsys.readouterr().err
    assert line in message
    assert "Traceback" not in message
