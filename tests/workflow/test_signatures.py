"""The signature of a stage is the interface of its rule."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from taipan.jobs.bind import find_places
from tests.project import ROOT, Project, copy_project

pytestmark = pytest.mark.workflow

LIST_RULES = """

import json

with open("rules.json", "w", encoding="utf-8") as handle:
    json.dump(
        {
            one.name: {
                "script": one.script,
                "input": list(one.input.keys()),
                "output": list(one.output.keys()),
                "params": list(one.params.keys()),
                "wildcards": sorted(one.wildcard_names),
            }
            for one in workflow.rules
            if one.script
        },
        handle,
    )
"""
RUNS = {
    "default": "{}",
    "dask": "skim: {executor: dask, dask_scheduler: 'tcp://localhost:1'}",
    "duplicates": "skim: {duplicates: first}",
    "refined": "training: {negative_weights: refine}",
    "fetched": "remote: {access: fetch}",
    "binned, tuned": "templates: {binning: {method: optimal}}\ntuning: {enabled: true}",
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_project(tmp_path_factory.mktemp("rules") / "taipan")
    with (project.path / "Snakefile").open("a", encoding="utf-8") as handle:
        handle.write(LIST_RULES)
    return project


def list_rules(project: Project, overlay: str) -> dict[str, Any]:
    project.snakemake(
        "--list-rules", config=("config/examples/smoke.yaml", project.overlay(overlay))
    )
    rules: dict[str, Any] = json.loads((project.path / "rules.json").read_text(encoding="utf-8"))
    return rules


@pytest.mark.parametrize("overlay", RUNS.values(), ids=RUNS)
def test_every_rule_has_what_its_stage_asks_for_and_no_more(copy: Project, overlay: str) -> None:
    """A misspelt name once was an input that is absent."""
    rules = list_rules(copy, overlay)
    assert len(rules) > 25
    for name, rule in rules.items():
        stage = Path(rule["script"]).stem
        function = getattr(importlib.import_module(f"taipan.stages.{stage}"), stage)
        places = find_places(function, name, {**rule, "unrecorded": ["remote", "dask_scheduler"]})
        assert places


def test_every_stage_has_a_rule(copy: Project) -> None:
    found = {Path(rule["script"]).stem for text in RUNS.values()
             for rule in list_rules(copy, text).values()}  # fmt: skip
    assert found == {path.stem for path in (ROOT / "scripts").glob("*.py")}
