"""Several networks in one run: settings, scores, histograms and their place in the summary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taipan.atomic import write_json
from taipan.config.load import load_config
from taipan.config.networks import find_result, list_own_keys, list_scores, list_trainings
from taipan.config.sections.observables import Observable
from taipan.errors import TaipanError
from taipan.summary import read_gates
from taipan.summary.networks import compare_networks
from taipan.templates.fill import fill_dataset
from tests.project import ROOT
from tests.tiny_analysis import ANALYSIS
from tests.toy_configuration import check, make_config, problems
from tests.unit.test_fill_by_hand import cell, dataset, settings

TWO = {
    "plain": {},
    "other": {"l2": 0.25, "adversary": {"strength": 7.0}},
    "decorrelated": None,
}


def networks(**changes: Any) -> dict[str, Any]:
    """Two networks with all keys, as they are after loading."""
    first = {"region": "sr"}
    return {"networks": {"plain": first, "other": {**first, **changes}}}


def test_a_network_has_the_keys_of_training_that_it_does_not_name() -> None:
    config = load_config({"training": {"dropout": 0.4}, "networks": TWO}, ROOT)
    plain, other = list_trainings(config).values()
    assert plain == config.training
    assert list_own_keys(config, "plain") == []
    assert list_own_keys(config, "other") == ["adversary", "l2"]  # the search once replaced l2
    assert (other.dropout, other.l2, other.adversary.strength) == (0.4, 0.25, 7.0)
    assert plain.l2 != 0.25


def test_the_result_is_the_first_network_or_the_one_that_is_named() -> None:
    first = load_config({"networks": TWO}, ROOT)
    assert find_result(first) == "plain"
    assert list_scores(first) == {"plain": "nn_score", "other": "nn_score_other"}
    named = load_config({"networks": TWO, "fit": {"network": "other"}}, ROOT)
    assert list_scores(named) == {"plain": "nn_score_plain", "other": "nn_score"}
    assert list(named.observables)[:2] == ["nn_score", "nn_score_plain"]
    assert named.observables["nn_score_plain"].binning == named.observables["nn_score"].binning


def test_bins_of_another_score_are_those_of_the_configuration_if_it_has_some() -> None:
    own = {"label": "mine", "binning": [0.0, 0.5, 1.0]}
    config = load_config({"networks": TWO, "observables": {"nn_score_other": own}}, ROOT)
    assert config.observables["nn_score_other"].binning == [0.0, 0.5, 1.0]


def test_one_network_has_no_name() -> None:
    config = make_config()
    assert list_trainings(config) == {"": config.training}
    assert list_scores(config) == {"": "nn_score"}
    assert list_scores(make_config({"features": []})) == {}


def test_mistakes_are_named() -> None:
    check(networks(l2=0.1, networks=1))
    learned = {"region": "sr", "negative_weights": "refine", "networks": 4}
    stored = {"training": learned, "networks": {"a": learned, "b": {**learned, "networks": 2}}}
    assert problems(stored) == [
        "networks.b.networks: 2 differs from training.networks (4), which all networks have in "
        "common"
    ]
    assert problems({"fit": {"network": "plan"}, **networks()}) == [
        "fit.network: 'plan' is not a network of `networks`; did you mean 'plain'? (plain, other)"
    ]
    (line,) = problems(networks(folds=3, networks=1))[:1]
    assert line == (
        "networks.other.folds: 3 differs from training.folds (5), which all networks have in common"
    )
    assert problems(networks(loss="hinge"))[0].startswith("networks.other.loss: 'hinge'")
    adversary = {"enabled": True, "control_sample": {"region": "sr"}}
    assert problems(networks(adversary=adversary))[0].startswith(
        "networks.other.adversary.control_sample.region: 'sr' is a signal region"
    )


def test_each_score_has_a_histogram_with_its_own_migration() -> None:
    """One network looks at x, the other at -x; the shift of y moves no score."""
    edges = Observable(label="score", binning=[0.0, 0.5, 1.0])
    plan = replace(settings(), observables={"nn_score": edges, "nn_score_other": edges})

    def low(features: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.where(features[:, 0] < 1.0, np.float32(0.2), np.float32(0.7))

    def high(features: np.ndarray, folds: np.ndarray) -> np.ndarray:
        return np.float32(0.9) - low(features, folds)

    found = fill_dataset(dataset(), ANALYSIS, plan, low, {"nn_score_other": high})[0]
    assert cell(found["nn_score"], "high", "nominal") == [0.0, 3.0, 28.0, 0.0]
    assert cell(found["nn_score_other"], "high", "nominal") == [0.0, 28.0, 3.0, 0.0]
    with pytest.raises(TaipanError, match="nn_score_other is an observable, but its network"):
        fill_dataset(dataset(), ANALYSIS, plan, low)


FITS = [{"observable": "nn_score", "mu": 1}, {"observable": "nn_score_other", "mu": 2}]
SCORES = {"plain": "nn_score", "other": "nn_score_other"}


def judged(auc: float) -> dict[str, Any]:
    tails = [{"efficiency": 0.1, "ratio": 1.2, "sigma": 0.1, "threshold": 0.9}]
    adversary = {"auc": auc, "sigma": 0.01, "folds": [auc]}
    return {"regions": {"cr": {"adversary": adversary, "tails": tails}}}


def test_every_network_is_put_beside_its_fit_gate_and_judge() -> None:
    gates = {
        "check_overtraining/plain": {"passed": True},
        "check_overtraining/other": {"passed": 0},
    }
    judgement = {"networks": {"plain": judged(0.6), "other": judged(0.5)}}
    found = compare_networks(SCORES, FITS, judgement, gates)
    assert [item["fit"]["mu"] for item in found.values()] == [1, 2]
    assert [item["overtraining"] for item in found.values()] == [True, False]
    control = found["other"]["control"]["cr"]
    assert control["adversary"] == {"auc": 0.5, "sigma": 0.01}
    assert control["tails"] == [{"efficiency": 0.1, "ratio": 1.2, "sigma": 0.1}]
    assert compare_networks(SCORES, FITS, None, gates)["plain"]["control"] == {}
    with pytest.raises(TaipanError, match="networks.other: there is no fit of 'nn_score_other'"):
        compare_networks(SCORES, FITS[:1], None, gates)
    with pytest.raises(TaipanError, match="networks.plain: there is no verdict"):
        compare_networks(SCORES, FITS, None, {})
    with pytest.raises(TaipanError, match="networks.other: it is not among those"):
        compare_networks(SCORES, FITS, {"networks": {"plain": judged(0.6)}}, gates)


def test_a_gate_of_one_of_several_networks_has_its_name(tmp_path: Path) -> None:
    verdict = {"passed": True, "action": "warn"}
    for place in ("gates/check_overtraining/plain", "gates/check_weights"):
        write_json(tmp_path / place / "verdict.json", verdict)
    paths = sorted(tmp_path.rglob("verdict.json"))
    assert list(read_gates(paths)) == ["check_overtraining/plain", "check_weights"]
