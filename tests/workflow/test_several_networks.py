"""Two networks in one run: both are trained, judged and fitted; one is the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from taipan.templates.store import read_histograms
from tests.project import RESULTS, SMOKE, Project

pytestmark = pytest.mark.workflow

NETWORKS = """\
networks:
  one: {}
  two:
    adversary: {enabled: true, warmup_epochs: 1, control_sample: {region: w_control}}
decorrelation: {permutations: 2}
"""


def content(results: Path, name: str) -> Any:
    return json.loads((results / name).read_text(encoding="utf-8"))


def test_two_networks_are_trained_judged_and_fitted(project: Project) -> None:
    """The first network is the one of a run without names, to the last bit of its fit."""
    results = project.path / RESULTS
    before = content(results, "summary.json")
    project.snakemake(f"{RESULTS}/summary.json", config=(SMOKE, project.overlay(NETWORKS)))
    summary = content(results, "summary.json")
    assert summary["observed"] == before["observed"]
    assert summary["reference"] == before["reference"]
    assert list(summary["networks"]) == ["one", "two"]
    plain, other = summary["networks"].values()
    assert plain["observed"] == summary["observed"]
    assert other["observed"]["mu_hat"] != plain["observed"]["mu_hat"]
    fitted = content(results, "fit/nn_score_two.json")
    assert other["expected"]["sigma"] == fitted["expected"]["sigma"]
    assert set(summary["gates"]) >= {
        "check_overtraining/one",
        "check_overtraining/two",
    }
    judged = [item["control"]["w_control"]["adversary"]["auc"] for item in (plain, other)]
    assert 0.3 < judged[0] != judged[1] < 0.7
    filled = read_histograms(results / "templates/templates.zip")
    signal = {"region": "signal", "variation": "nominal", "process": "ZTT"}
    first, second = (filled[name][signal] for name in ("nn_score", "nn_score_two"))
    assert first.sum(flow=True).value == pytest.approx(second.sum(flow=True).value, rel=1e-9)
    assert first != second
    # another choice trains nothing: the scores change places, and with them the fits
    planned = project.planned(project.overlay(NETWORKS + "fit: {network: two}\n"))
    assert not {"train", "check_overtraining", "skim"} & set(planned)
    assert {"histogram", "fit"} <= set(planned)
