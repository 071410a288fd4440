"""What rules are given of the configuration: a change re-runs what it changes, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from taipan.analysis_selection import load_analysis
from taipan.config.load import read_config
from taipan.jobs.slices import RunSlices
from tests.conftest import ROOT

SLICES = (
    "definitions", "generator", "corrections", "training", "plain_training", "weights", "templates",
    "filling", "binning", "judge", "fit", "coverage", "scan", "choice",
)  # fmt: skip

GROUPED = {"fit", "binning", "scan", "coverage"}
"""Slices with whole systematics; no template is filled again for another group."""


def slices(folder: Path, **keys: Any) -> RunSlices:
    overlay = folder / "o.yaml"
    overlay.write_text(yaml.safe_dump(keys), encoding="utf-8")
    config = read_config([overlay], ROOT)
    return RunSlices(config, load_analysis(config.folder, config.quantities))


def changed(folder: Path, **keys: Any) -> set[str]:
    before, after = slices(folder), slices(folder, **keys)
    return {name for name in SLICES if getattr(before, name)() != getattr(after, name)()}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"samples": {"TT": {"colour": "#000000", "label": "top"}}}, set()),
        ({"fit": {"confidence_level": 0.9}}, set()),
        ({"overtraining": {"on_failure": "warn"}}, set()),
        (
            {"training": {"adversary": {"strength": 7.0}}},
            {"training"},  # of the scan, λ is the point's own
        ),
        ({"training": {"learning_rate": 0.002}}, {"training", "plain_training", "scan"}),
        ({"systematics": {"tau_identification": {"group": "theory"}}}, GROUPED),
        ({"coverage": {"batches": 3}}, {"coverage"}),
    ],
)  # fmt: skip
def test_key_changes_what_it_is_used_for(
    tmp_path: Path, keys: dict[str, Any], expected: set[str]
) -> None:
    assert changed(tmp_path, **keys) == expected


def test_residual_is_made_of_histograms_and_fills_none(tmp_path: Path) -> None:
    own = slices(tmp_path)
    residuals = {name for name, item in own.config.systematics.items() if not item.fills_events}
    assert residuals
    assert residuals <= set(own.templates()["systematics"])
    assert not residuals & set(own.filling()["systematics"])
    assert not residuals & set(own.binning()["systematics"])


def test_other_networks_count_only_where_their_weights_are_stored(tmp_path: Path) -> None:
    own = slices(tmp_path)
    assert "networks" not in own.plain_training()["training"]
    stored = RunSlices(own.config, own.analysis, stores_weights=True)
    assert "networks" in stored.plain_training()["training"]
