"""Networks that begin with those of another sample: a run within the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.project import RESULTS, SMOKE, Project

pytestmark = pytest.mark.workflow

PRETRAINED = """\
networks:
  scratch: {{}}
  tuned:
    pretrain:
      catalogue: fastsim
      epochs: {epochs}
      learning_rate: 1.0e-4
      overrides:
        fastsim: {{events: {{DYJetsToLL: {events}}}}}
        training: {{epochs: 8}}
decorrelation: {{enabled: false}}
"""


def overlay(project: Project, epochs: int = 3, events: int = 9000) -> str:
    return project.overlay(PRETRAINED.format(epochs=epochs, events=events))


def content(results: Path, name: str) -> Any:
    return json.loads((results / name).read_text(encoding="utf-8"))


def test_one_of_two_networks_begins_with_another_simulation(project: Project) -> None:
    """The other one is that of a run without pre-training, to the last bit of its fit."""
    results = project.path / RESULTS
    before = content(results, "summary.json")
    project.snakemake(f"{RESULTS}/summary.json", config=(SMOKE, overlay(project)))
    summary = content(results, "summary.json")
    assert summary["observed"] == before["observed"]
    assert set(summary["networks"]) == {"scratch", "tuned"}
    assert set(summary["gates"]) >= {"check_overtraining/scratch", "check_overtraining/tuned"}
    fast = results / "pretraining/htautau"
    assert sorted(path.name for path in (fast / "pretrained/tuned").iterdir()) == [
        ".checksums", "fold0.npz", "fold1.npz", "training.json",
    ]  # fmt: skip
    assert not (fast / "pretrained/scratch").exists()
    assert not (fast / "templates").exists()
    simulated = content(fast, "normalisation.json")["DYJetsToLL"]
    assert simulated["generated_events"] == 9000
    first, second = content(results, "models/tuned/training.json")["networks"]
    records = content(fast, "pretrained/tuned/training.json")["networks"]
    assert [item["epochs"] for item in records] == [8, 8]
    for fold, network in enumerate((first, second)):
        assert network["pretrained"]["file"] == f"fold{fold}.npz"
        assert network["history"]["learning_rate"][0] == 0.0
        assert max(network["history"]["learning_rate"]) <= 1e-4
        assert network["epochs"] <= 4
    assert "pretrained" not in content(results, "models/scratch/training.json")["networks"][0]
    # a change of the fine-tuning alone trains nothing of the other sample again
    planned = project.planned(overlay(project, epochs=2))
    assert planned["train"] == 1
    assert not [rule for rule in planned if rule.startswith("pretraining_")]
    # one of the other sample makes that again, and both trainings
    planned = project.planned(overlay(project, events=9500))
    assert planned["pretraining_simulate"] > 0
    assert planned["pretraining_pretrain"] == planned["train"] == 1
    assert "simulate" not in planned
