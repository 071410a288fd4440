from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from taipan.config.sections.classifier import NetworkClassifier
from taipan.config.sections.overtraining import Overtraining
from taipan.errors import TaipanError
from taipan.nn import overtraining
from taipan.nn.data import TrainingSet, split_folds

LIMITS = Overtraining(min_ks_probability=1e-3, max_auc_gap=0.03, min_sigma=2.0)


def make_set(n: int, seed: int, folds: int = 3) -> TrainingSet:
    """Column 0 is a logit of fixed separation, column 1 the number of the event."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    logit = generator.normal(labels - 0.5, 1.0)
    features = np.stack([logit, np.arange(n)], axis=1).astype(np.float32)
    identifiers = generator.integers(0, 2**63, n).astype(np.uint64)
    return TrainingSet(
        features,
        ("logit", "number"),
        labels,
        np.where(generator.random(n) < 0.15, -1.0, 1.0),
        (identifiers % np.uint64(folds)).astype(np.int64),
        np.where(labels == 1, "ggH", "ZTT"),
        identifiers,
    )


class FakeScorer:
    """Networks that remember the label of a share of their training events."""

    memory = 0.0
    events: TrainingSet

    def __init__(self, models: object, features: object, threads: int) -> None:
        self.folds = 3
        self.networks = 1

    def score_with(self, fold: int, features: np.ndarray) -> np.ndarray:
        number = features[:, 1].astype(int)
        events = type(self).events
        split = split_folds(events.folds, events.identifiers, fold, 3)
        shift = np.where(split.training[number], self.memory * (2 * events.labels[number] - 1), 0)
        return (1.0 / (1.0 + np.exp(-(features[:, 0] + shift)))).astype(np.float32)

    def score(self, features: np.ndarray, folds: np.ndarray) -> np.ndarray:
        scores = np.stack([self.score_with(fold, features) for fold in range(self.folds)])
        return scores[folds, np.arange(len(folds))]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch):
    def run(events: TrainingSet, memory: float, settings: Overtraining = LIMITS) -> dict:
        scorer = type("Scorer", (FakeScorer,), {"memory": memory, "events": events})
        monkeypatch.setattr(overtraining, "FoldScorer", scorer)
        return overtraining.judge_overtraining(events, [], settings)

    return run


def test_classifier_that_remembers_is_flagged(check) -> None:
    verdict = check(make_set(6000, 0), 0.5)
    assert not verdict["passed"]
    assert verdict["action"] == "warn"
    failed = {item["name"] for item in verdict["conditions"] if not item["passed"]}
    assert failed == {
        *("auc_gap", "auc_ratio", "bce_ratio"),
        *("ks_probability_signal", "ks_probability_background"),
        *("chi2_probability_signal", "chi2_probability_background"),
    }
    # AUC of unit Gaussians a distance d apart: Phi(d / sqrt 2); d = 1 held out, 2 trained on.
    gap = 0.9214 - 0.7602
    for item in verdict["conditions"]:
        if item["name"] == "auc_gap":
            assert item["value"] == pytest.approx(gap, abs=0.03)
            assert item["sigma"] > 5.0


def test_fixed_classifier_is_rarely_flagged(check) -> None:
    """A classifier that was never trained cannot be overtrained, whatever its noise."""
    flagged = {"auc_gap": 0, "ks": 0, "chi2": 0, "ratio": 0}
    tries = 0
    for seed in range(70):
        verdict = check(make_set(500, seed), 0.0)
        tries += 3
        for item in verdict["conditions"]:
            name = item["name"].split("_p")[0]
            flagged["ratio" if name.endswith("_ratio") else name] += not item["passed"]
    assert flagged["auc_gap"] <= 0.08 * tries  # 2.3 % expected of gaps beyond 2 sigma
    assert flagged["ks"] <= 3  # 0.4 expected of 420
    assert flagged["chi2"] <= 3
    assert flagged["ratio"] <= 4  # 0.6 expected of 420 beyond 3 sigma


def test_fold_of_harder_events_is_not_overtraining(check) -> None:
    """One fold with less separation: what is remembered counts, not what is hard."""
    events = make_set(9000, 4)
    harder = events.features.copy()
    chosen = events.folds == 1
    harder[chosen, 0] -= 0.3 * (2 * events.labels[chosen] - 1)
    events = replace(events, features=harder)

    def ratios(memory: float) -> list[dict]:
        found = check(events, memory)["conditions"]
        return [item for item in found if item["name"].endswith("_ratio")]

    assert [item["value"] for item in ratios(0.0)] == pytest.approx(6 * [1.0], abs=1e-12)
    assert all(item["passed"] for item in ratios(0.01))
    assert not any(item["passed"] for item in ratios(0.1))
    # the bare gap of fold 1 is large, whatever is remembered
    areas = check(events, 0.01)["folds"][1]["auc"]
    assert areas["train"]["value"] - areas["held_out"]["value"] > 0.05


def test_gap_within_its_uncertainty_does_not_count(check) -> None:
    events = make_set(300, 3)
    strict = LIMITS.model_copy(update={"max_auc_gap": 1e-6, "min_sigma": 1e-6})
    lenient = LIMITS.model_copy(update={"max_auc_gap": 1e-6, "min_sigma": 6.0})
    wide = LIMITS.model_copy(update={"max_auc_gap": 0.5, "min_sigma": 1e-6})
    gaps = [
        [item for item in check(events, 0.1, limits)["conditions"] if item["name"] == "auc_gap"]
        for limits in (strict, lenient, wide)
    ]
    assert any(not item["passed"] for item in gaps[0])
    assert all(item["passed"] for item in (*gaps[1], *gaps[2]))
    assert [item["value"] for item in gaps[0]] == [item["value"] for item in gaps[1]]


def test_verdict_holds_what_plots_need(check) -> None:
    events = make_set(3000, 1)
    verdict = json.loads(json.dumps(check(events, 0.1)))
    assert len(verdict["edges"]) == 21
    assert verdict["limits"]["max_auc_gap"] == 0.03
    assert len(verdict["conditions"]) == 21
    for fold in verdict["folds"]:
        for class_name, label in (("background", 0), ("signal", 1)):
            held_out = fold["histograms"][class_name]["held_out"]
            assert sum(held_out["sumw"]) == pytest.approx(1.0, rel=1e-12)
            chosen = (events.folds == fold["fold"]) & (events.labels == label)
            weights = events.weights[chosen]
            expected = (weights**2).sum() / weights.sum() ** 2
            assert sum(held_out["sumw2"]) == pytest.approx(expected, rel=1e-12)
        gap = fold["gaps"]["auc"]
        areas = fold["auc"]
        difference = areas["held_out"]["value"] - areas["train"]["value"]
        assert gap["gap"] == pytest.approx(gap["offset"] - difference)
        error = np.hypot(areas["train"]["sigma"], areas["held_out"]["sigma"])
        assert 0.0 < gap["sigma"] < error
        losses = fold["gaps"]["bce"]
        assert losses["gap"] == pytest.approx(
            losses["held_out"] - losses["offset"] - losses["train"]
        )
        roc = fold["roc"]["held_out"]
        area = 1.0 - np.trapezoid(roc["background_efficiency"], roc["signal_efficiency"])
        assert area == pytest.approx(fold["auc"]["held_out"]["value"], abs=0.02)


@pytest.mark.parametrize("on_failure", ["warn", "stop"])
def test_script_writes_the_verdict_and_stops_if_asked(
    check, on_failure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = importlib.import_module("taipan.stages.check_overtraining")
    limits = LIMITS.model_copy(update={"on_failure": on_failure})
    settings = SimpleNamespace(overtraining=limits, classifier=NetworkClassifier())
    monkeypatch.setattr(script, "open_training_set", lambda *_: make_set(3000, 2))
    monkeypatch.setattr(script, "judge_overtraining", lambda s, _m, of, _t: check(s, 0.5, of))
    output = tmp_path / "verdict.json"
    arguments = (None, settings, 1, [], str(output))
    if on_failure == "stop":
        message = r"on_failure is 'stop' and \d+ conditions failed: .*auc_gap of fold 0 is 0\.\d+"
        with pytest.raises(TaipanError, match=message):
            script.check_overtraining(*arguments)
    else:
        script.check_overtraining(*arguments)
    written = json.loads(output.read_text())
    assert not written["passed"]
    assert written["action"] == on_failure


def test_gate_on_a_large_network_and_few_events(check) -> None:
    """Training scores at 0 and 1, held-out scores of chance: flagged for every seed."""
    for seed in range(5):
        verdict = check(make_set(500, seed), 8.0)
        assert not verdict["passed"]
        flagged = {item["fold"] for item in verdict["conditions"] if not item["passed"]}
        assert flagged == {0, 1, 2}


def test_whole_gate_rarely_flags_a_fixed_classifier(check) -> None:
    """All conditions of all three folds together, in 200 random splits."""
    events = [make_set(1500, seed) for seed in range(200)]
    flagged = sum(not check(item, 0.0)["passed"] for item in events)
    assert flagged <= 0.08 * 200
