"""The seed of the configuration reaches every rule that draws random numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from taipan.seeds import derive_seed
from tests.project import copy_project

pytestmark = pytest.mark.workflow

PROBE = """
import json as _json

with open("seeds.json", "w") as _file:
    _json.dump(
        {r.name: r.params.seed for r in workflow.rules if isinstance(r.params.get("seed"), int)},
        _file,
    )
"""


def test_every_seed_follows_that_of_the_configuration(tmp_path: Path) -> None:
    """The rules are read with two seeds; each rule has another one, derived from its name."""
    project = copy_project(tmp_path / "taipan")
    snakefile = project.path / "Snakefile"
    snakefile.write_text(snakefile.read_text(encoding="utf-8") + PROBE, encoding="utf-8")
    found = []
    for seed in (3, 4):
        overlay = project.overlay(f"seed: {seed}\ntuning: {{enabled: true}}\n")
        project.snakemake("--list", config=("config/examples/smoke.yaml", overlay))
        found.append(json.loads((project.path / "seeds.json").read_text(encoding="utf-8")))
    first, second = found
    assert {"train", "tune"} <= set(first) == set(second)
    assert first["train"] == derive_seed(3, "train")
    assert second["train"] == derive_seed(4, "train")
    for rule, seed in first.items():
        assert seed != second[rule], rule
    # the truth is recorded for the simulation that was drawn with the same seed
    assert first.pop("record_truth") == first["simulate"]
    assert len(set(first.values())) == len(first)
