"""Overlays as Snakemake merges them: an empty mapping over a null of another overlay."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from taipan.config.load import read_config
from taipan.config.overlays import restore_empty
from tests.conftest import ROOT


def merge_all(contents: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for content in contents:
        update_config(merged, copy.deepcopy(content))
    return merged


@pytest.mark.parametrize(
    ("contents", "wanted"),
    [
        ([{"n": {"a": None}}, {"n": {"a": {}}}], {"n": {"a": {}}}),
        ([{"n": {"a": {}}}, {"n": {"a": None}}], {"n": {"a": None}}),
        ([{"n": {"a": None}}, {"n": {"a": {}}}, {"n": {"a": None}}], {"n": {"a": None}}),
        ([{"n": {"a": None}}, {"n": {"a": {"k": 1}}}], {"n": {"a": {"k": 1}}}),
        ([{"n": None}, {"n": {}}, {"m": 1}], {"n": {}, "m": 1}),
        ([{"n": {"a": {"k": 1}}}, {"n": {"a": {}}}], {"n": {"a": {"k": 1}}}),
    ],
)
def test_later_overlay_counts(
    tmp_path: Path, contents: list[dict[str, Any]], wanted: dict[str, Any]
) -> None:
    files = [tmp_path / f"{i}.yaml" for i in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert restore_empty(merge_all(contents), files, {}) == wanted
    # the last one may be that of the command line
    assert restore_empty(merge_all(contents), files[:-1], contents[-1]) == wanted


def test_snakemake_still_loses_it() -> None:
    """When this fails, the mending has become needless."""
    assert merge_all([{"n": {"a": None}}, {"n": {"a": {}}}]) == {"n": {"a": None}}


def test_network_that_one_overlay_removed_is_there_again(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("networks: {plain: null, decorrelated: null, other: {}}", encoding="utf-8")
    second.write_text("networks: {plain: {}}", encoding="utf-8")
    assert set(read_config([first, second], ROOT).networks) == {"plain", "other"}
