"""Transformations of negative weights: what they keep, whatever the order of the events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from benchmarks.negative_weights import make_toy

from taipan import metrics
from taipan.config.sections.training import Training
from taipan.config.sections.weight_check import WeightCheck
from taipan.errors import TaipanError
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.weights.cells import cell_points, resample_cells
from taipan.nn.weights.check import describe_weight_failure, judge_weights
from taipan.nn.weights.distributions import quantile_bins
from taipan.nn.weights.guard import check_epoch, guard_unbounded, smallest_batch_sumw
from taipan.nn.weights.store import read_weights, write_weights
from taipan.nn.weights.transform import loss_weights, transform_cells
from tests.real_data import real_data

NANOAOD, needs_samples = real_data("nanoaod-samples")


def settings(method: str, **changes: Any) -> Training:
    return Training.model_validate(
        {"folds": 2, "networks": 1, "negative_weights": method, **changes}
    )


def frozen(training_set: TrainingSet) -> TrainingSet:
    for name in ("features", "labels", "weights", "folds", "samples", "identifiers"):
        getattr(training_set, name).setflags(write=False)
    return training_set


def weights_by(method: str, events: TrainingSet) -> np.ndarray:
    chosen = settings(method, refinement={"parts": 2, "epochs": 3, "hidden_layers": [8]})
    stored = transform_cells(events, chosen) if method == "cell" else None
    if method in ("refine", "resample"):
        from taipan.nn.weights.learned import learn_weights

        stored, _ = learn_weights(events, chosen, 1)
    return loss_weights(events, chosen, stored)


@pytest.fixture(scope="module")
def toy() -> TrainingSet:
    return frozen(make_toy(1500, 0.3, 4))


@pytest.mark.parametrize("method", ["signed_bounded", "cell", "abs", "drop"])
def test_sums_stay_and_weights_are_positive(toy: TrainingSet, method: str) -> None:
    found = weights_by(method, toy)
    for fold in range(2):
        rows = split_folds(toy.folds, toy.identifiers, fold, 2).training
        for sample in ("signal", "background"):
            chosen = rows & (toy.samples == sample)
            assert found[fold, chosen].sum() == pytest.approx(toy.weights[chosen].sum(), rel=1e-9)
        assert (found[fold, rows].min() < 0.0) == (method == "signed_bounded")
        np.testing.assert_array_equal(found[fold, ~rows], toy.weights[~rows])
        untouched = rows & (toy.samples == "background")
        np.testing.assert_array_equal(found[fold, untouched], toy.weights[untouched])


@pytest.mark.parametrize("method", ["signed_bounded", "cell", "abs", "drop"])
def test_order_of_the_events_changes_nothing(toy: TrainingSet, method: str) -> None:
    order = np.random.default_rng(1).permutation(len(toy))
    shuffled = frozen(toy.take(order))
    np.testing.assert_array_equal(weights_by(method, shuffled), weights_by(method, toy)[:, order])


@pytest.mark.parametrize("method", ["cell", "refine", "resample"])
def test_events_a_network_is_applied_to_leave_its_weights_alone(
    toy: TrainingSet, method: str
) -> None:
    """Other weights and features in fold 0 change nothing that network 0 is trained with."""
    weights, features = toy.weights.copy(), toy.features.copy()
    weights[toy.folds == 0] *= 3.0
    features[toy.folds == 0] = 5.0 * features[toy.folds == 0] + 2.0
    spoilt = frozen(replace(toy, weights=weights, features=features))
    rows = split_folds(toy.folds, toy.identifiers, 0, 2).training
    found, changed = weights_by(method, toy), weights_by(method, spoilt)
    np.testing.assert_array_equal(found[0, rows], changed[0, rows])
    assert np.any(found[0, rows] != toy.weights[rows])
    assert np.any(found[1] != changed[1])


def test_a_cell_by_hand() -> None:
    """The event at 1 takes its nearest neighbour, at 1.5; with 0.5 + 0.25 left it needs no more."""
    points = np.array([[0.0], [1.0], [1.5], [4.0]])
    weights = np.array([1.0, -0.25, 0.75, 1.0])
    found = resample_cells(points, weights)
    np.testing.assert_allclose(found, [1.0, 0.125, 0.375, 1.0], rtol=1e-12)
    limited = resample_cells(points, weights, max_radius=0.4)
    np.testing.assert_array_equal(limited, weights)


def test_cells_grow_until_they_are_positive() -> None:
    generator = np.random.default_rng(3)
    points = generator.normal(size=(400, 2))
    # two thirds of the middle are negative: cells there need more than the first neighbours
    middle = np.hypot(*points.T) < 0.8
    weights = np.where(middle & (generator.random(400) < 2 / 3), -1.0, 1.0)
    weights.setflags(write=False)
    found = resample_cells(points, weights)
    assert found.min() >= 0.0
    assert found.sum() == pytest.approx(weights.sum(), rel=1e-12)
    assert found[middle].sum() < 0.5 * np.abs(weights[middle]).sum()


def test_events_at_one_place_are_one_cell() -> None:
    points = np.zeros((5, 2))
    found = resample_cells(points, np.array([1.0, -1.0, 1.0, 1.0, -1.0]))
    assert found.min() >= 0.0
    assert found.sum() == pytest.approx(1.0)


def test_points_of_missing_and_constant_features() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 4)).astype(np.float32)
    features[:, 1] = 5.0
    features[::3, 2] = np.nan
    features[:, 3] = 100.0 * features[:, 0]
    points = cell_points(features, np.ones(200), components=2)
    assert points.shape == (200, 2)
    assert np.all(np.isfinite(points))
    # two of four features are the same: the first component is both, √2 standard deviations
    assert points[:, 0].std() == pytest.approx(np.sqrt(2.0), rel=0.03)


def test_biased_methods_warn(toy: TrainingSet, caplog: pytest.LogCaptureFixture) -> None:
    import logging

    logger = logging.getLogger("taipan")
    logger.propagate = True
    weights_by("drop", toy)
    assert "'drop': the networks learn another density" in caplog.text


def test_sample_of_negative_sum_is_refused(toy: TrainingSet) -> None:
    negative = frozen(replace(toy, weights=np.where(toy.samples == "signal", -toy.weights, 1.0)))
    with pytest.raises(TaipanError, match=r"'abs' cannot give sample 'signal' .* signed_bounded"):
        weights_by("abs", negative)


def test_missing_weights_of_a_stage_are_refused(toy: TrainingSet) -> None:
    with pytest.raises(TaipanError, match=r"'refine' needs weights of shape \(2, 3000\), got none"):
        loss_weights(toy, settings("refine"))
    with pytest.raises(TaipanError, match=r"got shape \(1, 3000\)"):
        loss_weights(toy, settings("refine"), np.ones((1, 3000)))


def test_stored_weights_find_their_events_in_any_order(toy: TrainingSet, tmp_path: Path) -> None:
    path = tmp_path / "weights.parquet"
    weights = np.random.default_rng(0).random((2, len(toy)))
    write_weights(path, toy, weights)
    order = np.random.default_rng(1).permutation(len(toy))
    np.testing.assert_array_equal(read_weights(path, toy.take(order), 2), weights[:, order])
    again = tmp_path / "again.parquet"
    write_weights(again, toy.take(order), weights[:, order])
    assert again.read_bytes() == path.read_bytes()
    with pytest.raises(TaipanError, match="columns are"):
        read_weights(path, toy, 3)
    with pytest.raises(TaipanError, match="its 3000 events are not the 2999 of the training"):
        read_weights(path, toy.take(np.arange(2999)), 2)
    other = replace(toy, weights=toy.weights * 2.0)
    with pytest.raises(TaipanError, match="are not the 3000"):
        read_weights(path, other, 2)
    path.write_text("no")
    with pytest.raises(TaipanError, match="is not a readable Parquet file"):
        read_weights(path, toy, 2)


def test_smallest_batch() -> None:
    weights = np.array([1.0, -1.0, -1.0, 1.0, 5.0])
    # three batches of one or two events: (0), (1, 2), (3, 4) in the order given
    assert smallest_batch_sumw(weights, np.array([4, 1, 2, 0, 3]), 2) == -2.0


def test_guard_stops_a_negative_loss_and_a_huge_logit() -> None:
    assert not guard_unbounded(settings("signed_bounded"))
    assert guard_unbounded(settings("signed_bounded", logit_bound=None))
    assert guard_unbounded(settings("signed_bounded", logit_bound=60.0))
    check_epoch(0.0, np.array([-50.0, 50.0]), "fold 0", 0)
    with pytest.raises(TaipanError, match=r"fold 3: the signed loss is -0\.1 in epoch 7, below 0"):
        check_epoch(-0.1, np.zeros(2), "fold 3", 7)
    with pytest.raises(TaipanError, match=r"fold 3: \|logit\| is 50\.1 in epoch 7, above 50"):
        check_epoch(0.1, np.array([3.0, -50.1]), "fold 3", 7)


def test_quantile_bins_keep_missing_values_apart() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    bins, edges = quantile_bins(values, 2)
    np.testing.assert_array_equal(edges, [1.0, 2.5, 4.0])
    np.testing.assert_array_equal(bins, [0, 0, 1, 1, 2])
    bins, edges = quantile_bins(np.full(3, np.nan))
    np.testing.assert_array_equal(bins, [0, 0, 0])


def record(loss: float = 0.3, bce: float = 0.4) -> dict[str, Any]:
    """Training record of two networks whose best epoch is the first of two."""
    history = {"loss": [0.5, loss], "train_bce": [0.6, bce], "smallest_batch_sumw": [3.0, -1.0]}
    return {
        "networks": [
            {"fold": i, "network": 1, "best_epoch": 0, "history": history} for i in range(2)
        ]
    }


def judge(
    events: TrainingSet, method: str, physical: np.ndarray | None = None, **losses: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    scores = 1.0 / (1.0 + np.exp(-2.0 * events.features[:, 0].astype(float)))
    found = weights_by(method, events) if physical is None else physical
    regions = {"signal": {"signal": events.weights[events.labels == 1], "TT": np.array([])}}
    limits = WeightCheck(on_failure="stop")
    return judge_weights(events, found, scores, record(**losses), regions, settings(method), limits)


def test_check_refuses_a_record_of_other_networks(toy: TrainingSet) -> None:
    physical = np.stack([toy.weights] * 4)
    with pytest.raises(TaipanError, match="training record: 2 networks, expected 4"):
        judge_weights(
            toy, physical, np.full(len(toy), 0.5), record(), {},
            settings("signed_bounded", networks=2), WeightCheck(),
        )  # fmt: skip


def test_check_of_signed_weights_passes_with_numbers_by_hand(toy: TrainingSet) -> None:
    diagnostics, verdict = judge(toy, "signed_bounded")
    assert verdict["passed"]
    assert verdict["warnings"] == []
    signal = toy.weights[toy.labels == 1]
    negative = int((signal < 0).sum())
    described = diagnostics["regions"]["signal"]["signal"]
    assert described["sumw"] == 1500 - 2 * negative
    assert described["n_eff"] == pytest.approx((1500 - 2 * negative) ** 2 / 1500)
    assert described["n_eff_per_event"] == pytest.approx((1 - 2 * negative / 1500) ** 2)
    assert described["negative_fraction"] == negative / 1500
    assert diagnostics["regions"]["signal"]["TT"]["n_eff_per_event"] == 0.0
    assert [item["smallest_batch_sumw"] for item in diagnostics["networks"]] == [-1.0, -1.0]
    assert diagnostics["training"]["signal"]["features"] == {}
    # the scores are the exact posterior: calibrated, and the AUC is that of the toy
    score = diagnostics["score"]
    assert score["auc"] == pytest.approx(0.9213, abs=4 * score["auc_sigma"])
    assert abs(score["auc_monotone"] - score["auc"]) < 0.01
    item = score["calibration"]
    pulls = [
        (f - s) / e
        for s, f, e in zip(item["score"], item["fraction"], item["sigma"], strict=True)
        if f is not None
    ]
    assert len(pulls) > 7
    assert np.max(np.abs(pulls)) < 4.0
    assert set(diagnostics["distributions"]) == {"signal"}
    profile = diagnostics["distributions"]["signal"]["quantities"]["y"]
    # the density that cancels lies at high y: there are the negative events
    assert profile["negative_fraction"][-1] > profile["negative_fraction"][0] + 0.2
    assert sum(profile["events"]) == 1500


def test_check_tells_biased_weights_from_cells() -> None:
    events = frozen(make_toy(6000, 0.3, 7))
    diagnostics, verdict = judge(events, "drop")
    assert not verdict["passed"]
    assert verdict["action"] == "stop"
    failed = {item.get("feature") for item in verdict["conditions"] if not item["passed"]}
    assert "y" in failed
    assert "negative_weights is 'drop'" in verdict["warnings"][0]
    assert "chi2_per_ndf of signal is" in describe_weight_failure(verdict)
    assert diagnostics["training"]["signal"]["networks"][0]["events_kept"] < 3000
    diagnostics, verdict = judge(events, "cell")
    assert verdict["passed"]
    found = diagnostics["training"]["signal"]
    assert found["networks"][0]["after"]["negative_fraction"] == 0.0
    assert found["networks"][0]["after"]["n_eff"] > 2 * found["networks"][0]["before"]["n_eff"]
    assert 0.0 < found["features"]["y"]["chi2_per_ndf"] < 1.5


def test_check_fails_on_another_sum_and_on_a_negative_loss(toy: TrainingSet) -> None:
    signed = np.array(weights_by("signed_bounded", toy))
    rows = split_folds(toy.folds, toy.identifiers, 0, 2).training & (toy.labels == 1)
    signed[0, np.flatnonzero(rows)[0]] += 3e-6 * signed[0, rows].sum()
    _, verdict = judge(toy, "cell", signed)
    failed = [item for item in verdict["conditions"] if not item["passed"]]
    assert [(item["name"], item["of"]) for item in failed] == [("sumw_change", "signal")]
    assert failed[0]["value"] == pytest.approx(3e-6, rel=1e-3)
    _, verdict = judge(toy, "signed_bounded", loss=-0.01)
    assert "training_loss of fold 0 is -0.01, limit 0" in describe_weight_failure(verdict)
    diagnostics, verdict = judge(toy, "signed_bounded", bce=-0.02)
    assert "training_loss of fold 1 is -0.02, limit 0" in describe_weight_failure(verdict)
    network = diagnostics["networks"][0]
    assert (network["smallest_loss"], network["smallest_train_bce"]) == (0.3, -0.02)
    assert (network["loss"], network["train_bce"]) == (0.5, 0.6)


def test_metrics_of_generator_weights_by_hand() -> None:
    """174 events of +w and 26 of -w, as in an NLO tt̄ sample with 13 % of negative weights."""
    weights = np.repeat([225892.453125, -225892.453125], [174, 26])
    found = metrics.describe_weights(weights)
    assert found["sumw"] == 148 * 225892.453125
    assert found["n_eff"] == pytest.approx(148**2 / 200)
    assert found["negative_fraction"] == 0.13


W, V, U = 26331.201171875, 26067.890625, 25807.2109375  # of nano_dy: 29 and 8, 1 and 1, and 1 event


@needs_samples
@pytest.mark.parametrize(
    ("name", "events", "negative", "sumw", "n_eff"),
    [
        ("nanoAOD_2015_CMS_Open_Data_ttbar", 200, 26, 148 * 225892.453125, 148**2 / 200),
        ("nano_dy", 40, 9, 21 * W + U, (21 * W + U) ** 2 / (37 * W**2 + 2 * V**2 + U**2)),
    ],
)
def test_real_generator_weights(
    name: str, events: int, negative: int, sumw: float, n_eff: float
) -> None:
    with uproot.open(NANOAOD / f"{name}.root") as file:
        columns = file["Events"].arrays(["genWeight", "MET_pt", "nJet", "event"], library="np")
    weights = columns["genWeight"].astype(np.float64)
    described = metrics.describe_weights(weights)
    assert described["events"] == events
    assert described["sumw"] == pytest.approx(sumw, rel=1e-12)
    assert described["n_eff"] == pytest.approx(n_eff, rel=1e-12)
    assert described["negative_fraction"] == negative / events
    features = np.stack([columns["MET_pt"], columns["nJet"]], axis=1).astype(np.float32)
    simulated = TrainingSet(
        features=features,
        names=("met", "njets"),
        labels=np.arange(events) % 2,
        weights=weights,
        folds=(np.arange(events) // 2) % 2,
        samples=np.full(events, "TT"),
        identifiers=columns["event"].astype(np.uint64),
    )
    diagnostics, verdict = judge(frozen(simulated), "cell")
    assert verdict["passed"]
    found = diagnostics["training"]["TT"]
    assert found["all"]["n_eff_per_event"] == pytest.approx(n_eff / events)
    for network in found["networks"]:
        assert network["sumw_change"] < 1e-12
        assert network["after"]["negative_fraction"] == 0.0
