"""Pseudo-data of a larger simulation: a run within the run, made only where it is asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project import SMOKE, Project, copy_project

pytestmark = pytest.mark.workflow

LARGER = "coverage: {simulation: {fastsim: {events: {DYJetsToLL: 9000}}}}\n"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return copy_project(tmp_path_factory.mktemp("larger") / "taipan")


def plan(project: Project, target: str, overlay: str) -> dict[str, int]:
    """Rules that a dry run would run for a target, with their numbers of jobs."""
    config = (SMOKE, project.overlay(overlay))
    text = project.snakemake("--dry-run", "--quiet=rules", target, config=config).stdout
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}


def test_larger_simulation_is_made_for_pseudo_data_alone(fresh: Project) -> None:
    before, after = (plan(fresh, "measure_coverage", text) for text in ("{}", LARGER))
    more = {name: after[name] for name in after if name.startswith("larger_")}
    assert set(more) == {"larger_simulate", "larger_skim", "larger_normalise"}
    assert more["larger_simulate"] == before["simulate"]
    assert after["total"] == before["total"] + sum(more.values())
    assert not [name for name in before if name.startswith("larger_")]
    # a run that measures no coverage makes none
    assert plan(fresh, "all", LARGER) == plan(fresh, "all", "{}")


def test_pseudo_data_wait_for_events_of_every_dataset(fresh: Project) -> None:
    config = (SMOKE, fresh.overlay(LARGER))
    shown = fresh.snakemake("--dry-run", "measure_coverage", config=config).stdout
    jobs = [part for part in shown.split("\n\n") if "rule draw_pseudo_data" in part]
    files = set(re.findall(r"/larger/htautau/([\w./]+)", jobs[0]))
    assert "normalisation.json" in files
    assert "events/DYJetsToLL/0.parquet" in files
    own = set(re.findall(r"(?<!larger)/htautau/(events/[\w./]+)", jobs[0]))
    datasets = {Path(name).parent for name in files if name.startswith("events/")}
    assert datasets == {Path(name).parent for name in own}
