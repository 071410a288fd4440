"""The signature of a stage is the interface of its rule."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from taipan.config.load import read_config
from taipan.events.blinding import overlapping_signal
from taipan.jobs.bind import find_places
from tests.project import RESULTS, ROOT, SMOKE, Project, copy_project
from tests.unit.test_circles import SOURCE, read_imports

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
                "config": sorted(found)
                if isinstance(found := one.params.get("config"), dict)
                else None,
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
    "fetched": "catalogue: cms-2012-reduced\nfiles: downloads\nremote: {access: fetch}",
    "no network": "analysis: zmumu",
    "tables, calibrated": "analysis: higgsml\ncoverage: {calibrate: true}",
    "two signals": "fit: {parameters_of_interest: {mu_ggH: [ggH], mu_qqH: [qqH]}}",
    "eras": "analysis: zmumu\neras: {'2015': {}, '2016': {}}",
    "unfolded": "analysis: zpt",
    "three classes": "classes: {signal: [ggH, qqH], ztt: [ZTT], other: [ZLL, TT, W, QCD]}",
    "generator weights": "systematics: {scales: {kind: scale_weights, samples: [ggH, qqH]}}",
    "two networks": "networks: {plain: {}, other: {l2: 0.1}}\ntuning: {enabled: true}",
    "two networks, binned": "networks: {a: {}, b: {}}\ntemplates: {binning: {method: merge}}",
    "corrections": (
        "corrections: {top: {file: config/analyses/htautau/corrections/htautau.json, "
        "correction: top_pt, inputs: {pt: jpt_1}, samples: [TT]}}"
    ),
    "cross-check": """
samples: {QCD: {cross_checks: {other: {
  method: same_sign, regions: {signal: ss_signal, w_control: ss_w_control},
  numerator: antiiso_os, denominator: antiiso_ss}}}}
""",
    "pretrained": "training: {pretrain: {catalogue: fastsim}}",
    "larger": "coverage: {simulation: {fastsim: {events: {DYJetsToLL: 9000}}}}",
    "binned, tuned": "templates: {binning: {method: merge}}\ntuning: {enabled: true}",
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_project(tmp_path_factory.mktemp("rules") / "taipan")
    with (project.path / "Snakefile").open("a", encoding="utf-8") as handle:
        handle.write(LIST_RULES)
    return project


def list_rules(project: Project, overlay: str) -> dict[str, Any]:
    config = (project.overlay(overlay),)
    if not overlay.startswith("analysis"):
        config = (SMOKE, *config)
    project.snakemake("--list-rules", config=config)
    rules: dict[str, Any] = json.loads((project.path / "rules.json").read_text(encoding="utf-8"))
    return rules


def reached(imports: dict[str, set[str]], start: str) -> set[str]:
    """Modules that a module imports, and those that they import."""
    found, left = {start}, [start]
    while left:
        new = imports.get(left.pop(), set()) - found
        found |= new
        left += new
    return found


def test_every_stage_that_reads_events_is_told_of_their_corrections(copy: Project) -> None:
    """A slice without the section has no corrections, so none may be without it by mistake."""
    imports = read_imports(SOURCE)
    rules = list_rules(copy, RUNS["corrections"])
    assert "list_corrections" in rules
    reading = {
        name
        for name, rule in rules.items()
        if "taipan.events.opening" in reached(imports, f"taipan.stages.{Path(rule['script']).stem}")
        and rule["config"] is not None
    }
    assert reading > {"histogram", "check_decorrelation", "measure_pileup", "measure_shapes"}
    assert [name for name in reading if "corrections" not in rules[name]["config"]] == []


@pytest.mark.parametrize("overlay", RUNS.values(), ids=RUNS)
def test_every_rule_has_what_its_stage_asks_for_and_no_more(copy: Project, overlay: str) -> None:
    """A misspelt name once was an input that is absent."""
    rules = list_rules(copy, overlay)
    assert len(rules) > 18
    for name, rule in rules.items():
        stage = Path(rule["script"]).stem
        function = getattr(importlib.import_module(f"taipan.stages.{stage}"), stage)
        unrecorded = ["remote", "dask_scheduler", "shared_threads"]
        places = find_places(function, name, {**rule, "unrecorded": unrecorded})
        assert places


def test_every_stage_has_a_rule(copy: Project) -> None:
    found = {Path(rule["script"]).stem for text in RUNS.values()
             for rule in list_rules(copy, text).values()}  # fmt: skip
    assert found == {path.stem for path in (ROOT / "scripts").glob("*.py")}


BY_HAND = {
    "list_yields": (
        "--templates templates/templates.zip --blinded BLINDED",
        {"--yields": "yields.csv"},
    ),
    "fit": (
        "--workspace workspaces/m_vis.json --record workspaces/m_vis_record.json "
        "--confidence-level 0.95 --groups GROUPS",
        {"--result": "fit/m_vis.json"},
    ),
    "build_workspace": (
        "--templates templates/templates.zip --config CONFIG --observables m_vis "
        "--transfer-factor corrections/transfer_factor.json --published first.json",
        {"--workspaces": "workspaces/m_vis.json", "--records": "workspaces/m_vis_record.json"},
    ),
}


@pytest.mark.parametrize("stage", BY_HAND)
def test_stage_by_hand_writes_what_its_rule_writes(
    finished: Project, tmp_path: Path, stage: str
) -> None:
    """To the byte, from a folder that is not the project."""
    config = read_config([finished.path / SMOKE], finished.path)
    groups = {name: item.group for name, item in config.systematics.items()}
    blinded = [] if config.fit.unblind else overlapping_signal(config.regions)
    special = {"CONFIG": config.model_dump(mode="json"), "GROUPS": groups, "BLINDED": blinded}
    given, made = BY_HAND[stage]
    words = []
    for word in given.split():
        file = finished.path / RESULTS / word
        words.append(json.dumps(special[word]) if word in special else str(file) if file.is_file()
                     else word)  # fmt: skip
    for option, name in made.items():
        words += [option, str(tmp_path / Path(name).name)]
    done = subprocess.run(
        [sys.executable, "-m", f"taipan.stages.{stage}", *words],
        cwd=tmp_path, env=finished.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in made.values():
        expected = (finished.path / RESULTS / name).read_bytes()
        assert (tmp_path / Path(name).name).read_bytes() == expected


def test_names_of_eras_are_for_runs_with_eras(copy: Project) -> None:
    """The rules of an era are those of a run of its own, and were once refused as one without."""
    planned = copy.snakemake(
        "--dry-run", "--quiet", "rules", config=("config/examples/eras.yaml",)
    ).stdout
    assert "combine_eras" in planned
    names = copy.overlay('systematics: {luminosity: {eras: {"2011": a, "2012": b}}}')
    refused = copy.snakemake("--dry-run", config=(SMOKE, names), check=False)
    assert refused.returncode == 1
    assert (
        "systematics.luminosity.eras: 2011, 2012: the run has no eras (declare them in `eras`, "
        "or leave it out)"
    ) in refused.stdout + refused.stderr
