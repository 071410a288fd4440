"""Networks of several classes: losses, metrics, weights, names of scores, regions and gates."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from taipan import metrics
from taipan.analysis import Shift
from taipan.columns.derived import add_quantities
from taipan.columns.expressions import parse_expression, provably_disjoint
from taipan.config.sections.observables import DerivedQuantity, Observable
from taipan.config.sections.overtraining import Overtraining, OvertrainingCondition
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.events.load import DatasetEvents
from taipan.events.variations import template_variations
from taipan.events.weights import EventWeights
from taipan.nn.classes import BINARY, Classes
from taipan.nn.collect import CollectSettings, collect_training_set
from taipan.nn.conditions import ScoredPart, compare_metric
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.engine import signal_logit
from taipan.nn.export import export_network
from taipan.nn.fold import make_engine
from taipan.nn.losses.registry import find_loss
from taipan.nn.model import average_networks
from taipan.nn.model_card import ModelCard
from taipan.nn.overtraining import check_scorer
from taipan.nn.scorer import FoldScorer
from taipan.nn.scores import name_scores
from taipan.nn.train import train_network
from taipan.systematics.registry import make_systematic
from taipan.templates.fill import FillSettings, fill_dataset
from tests.three_gaussians import CLASSES, draw_events, make_set, posterior
from tests.tiny_analysis import ANALYSIS
from tests.toy_configuration import check, problems

SETTINGS = Training(
    networks=1,
    folds=2,
    activation="relu",
    hidden_layers=[32],
    dropout=0.0,
    l2=1e-4,
    batch_size=256,
    learning_rate=1e-2,
    epochs=15,
    patience=15,
)
LOGITS = np.array([[0.0, math.log(3.0), 0.0], [0.0, 0.0, math.log(2.0)]])
"""Softmax gives (1/5, 3/5, 1/5) and (1/4, 1/4, 1/2)."""


BAYES = 0.5943
"""Cross-entropy of the best scores, by a sum over a grid of the plane in steps of 0.02."""


def train(folder: Path, events: TrainingSet, settings: Training = SETTINGS) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    models = [folder / f"{fold}.onnx" for fold in range(settings.folds)]
    train_network(events, settings, 3, models, folder / "record.json")
    return models


def test_losses_of_three_classes_by_hand() -> None:
    arguments = [tf.constant(v, tf.float32) for v in (LOGITS, [1.0, 0.0], [2.0, -1.0])]
    entropy = (2.0 * -math.log(3 / 5) - 1.0 * -math.log(1 / 4)) / 2
    assert float(find_loss("crossentropy", softmax=True)(*arguments)) == pytest.approx(
        entropy, rel=1e-6
    )
    distances = (1 / 25 + 4 / 25 + 1 / 25, 9 / 16 + 1 / 16 + 1 / 4)
    brier = (2.0 * distances[0] - distances[1]) / 2
    assert float(find_loss("brier", softmax=True)(*arguments)) == pytest.approx(brier, rel=1e-6)
    with pytest.raises(TaipanError, match="'mse' is not a loss of several classes"):
        find_loss("mse", softmax=True)


def test_metrics_of_three_classes_agree_with_hand_and_scikit_learn() -> None:
    scores, labels = np.array([[0.2, 0.6, 0.2], [0.25, 0.25, 0.5]]), np.array([1, 0])
    weights = np.array([3.0, -1.0])
    assert metrics.bce(labels, scores, weights) == pytest.approx(
        (3.0 * -math.log(0.6) + math.log(0.25)) / 2.0
    )
    assert metrics.brier(labels, scores, weights) == pytest.approx((3.0 * 0.24 - 0.875) / 2.0)
    features, labels = draw_events(600, 4)
    scores = posterior(features)
    weights = np.random.default_rng(1).random(600)
    expected = roc_auc_score(
        labels, scores, sample_weight=weights, multi_class="ovr", average="macro"
    )
    assert metrics.auc(labels, scores, weights) == pytest.approx(expected, abs=1e-9)
    value, terms = metrics.auc_with_terms(labels, scores, weights)
    assert value == pytest.approx(expected, abs=1e-9)
    assert 0.005 < math.sqrt(terms @ terms) < 0.03  # of 600 events


def test_each_class_has_the_same_weight_in_the_loss() -> None:
    events = make_set(3000, negative=0.2)
    weights = events.training_weights()
    sums = [weights[events.labels == label].sum() for label in range(3)]
    assert sums == pytest.approx([1000.0] * 3)
    assert np.array_equal(np.sign(weights), np.sign(events.weights))


def test_no_score_is_surer_of_a_class_than_the_bound_allows() -> None:
    """The loss of an event of weight -1 is at least -(c + ln K), however far the network goes."""
    settings = SETTINGS.model_copy(update={"logit_bound": 4.0})
    engine = make_engine(make_set(300), settings)
    engine.reset(0)
    engine.network.body.set_weights([1e4 * w for w in engine.network.body.get_weights()])
    loaded = engine.load(*(np.asarray(v) for v in (draw_events(300, 0)[0], [0] * 300, [1] * 300)))
    logits, scores = engine.logits(loaded), engine.predict(loaded)
    assert np.ptp(logits, axis=1).max() == pytest.approx(4.0, abs=1e-4)
    worst = -np.log(scores.min(axis=1)).max()
    assert 4.0 < worst <= math.log(1.0 + 2.0 * math.exp(4.0)) + 1e-4 < 4.0 + math.log(3.0)


@pytest.mark.parametrize(("negative", "excess"), [(0.0, 0.012), (0.25, 0.03)])
def test_scores_are_the_best_ones_of_three_gaussians(
    negative: float, excess: float, tmp_path: Path
) -> None:
    """Cross-entropy on other events within 1.2 % of Bayes' (3 % where a quarter is negative)."""
    n = 12_000 if negative == 0.0 else 24_000  # a quarter negative: n_eff is a quarter of n
    models = train(tmp_path, make_set(n, negative=negative))
    features, labels = draw_events(30_000, 77)
    scorer = FoldScorer(models, ("x", "y"))
    ones = np.ones(len(labels))
    best = metrics.bce(labels, posterior(features), ones)
    assert best == pytest.approx(BAYES, abs=0.01)
    for fold in range(2):
        scores = scorer.score_with(fold, features)
        assert scores.shape == (30_000, 3)
        assert np.allclose(scores.sum(axis=1), 1.0, atol=1e-5)
        assert metrics.bce(labels, scores, ones) < best * (1.0 + excess)
    if negative:  # with |w| in their place the scores are of another density
        wrong = replace(make_set(n, negative=negative))
        biased = train(tmp_path / "abs", replace(wrong, weights=np.abs(wrong.weights)))
        found = FoldScorer(biased, ("x", "y")).score_with(0, features)
        assert metrics.bce(labels, found, ones) > best * 1.1


def test_softmax_of_two_classes_is_the_sigmoid_network_within_noise(tmp_path: Path) -> None:
    events = make_set(9000, seed=5)
    events = events.take(np.flatnonzero(events.labels < 2))
    two = Classes(("ztt", "signal"), (1,), True)
    named = replace(events, classes=two, labels=1 - events.labels)
    plain = replace(named, classes=BINARY)
    features, labels = draw_events(30_000, 78)
    kept = labels < 2
    features, labels = features[kept], 1 - labels[kept]
    found = {}
    for name, item in (("named", named), ("plain", plain)):
        scores = FoldScorer(train(tmp_path / name, item), ("x", "y")).score_with(0, features)
        found[name] = scores if scores.ndim == 1 else scores[:, 1]
    ones = np.ones(len(labels))
    best = posterior(features)[:, :2]
    best_entropy = metrics.bce(labels, best[:, 0] / best.sum(axis=1), ones)
    for scores in found.values():
        assert metrics.bce(labels, scores, ones) == pytest.approx(best_entropy, rel=0.02)
    areas = [metrics.auc(labels, scores, ones) for scores in found.values()]
    assert areas[0] == pytest.approx(areas[1], abs=0.002)
    assert np.mean(np.abs(found["named"] - found["plain"])) < 0.02


def test_onnx_scores_as_the_network_does_and_names_its_classes(tmp_path: Path) -> None:
    events = make_set(1500)
    settings = SETTINGS.model_copy(update={"epochs": 2, "networks": 2})
    train(tmp_path, events, settings)
    scorer = FoldScorer([tmp_path / "0.onnx", tmp_path / "1.onnx"], ("x", "y"))
    assert (scorer.classes.names, scorer.classes.signal) == (CLASSES.names, (0,))
    engine = make_engine(events, settings)
    engine.reset(8)
    card = ModelCard(("x", "y"), (False, False), 0, 1, 8, classes=CLASSES)
    features = events.features[:500]
    export_network(average_networks([engine.network]), tmp_path / "one.onnx", card, features)
    found = FoldScorer([tmp_path / "one.onnx"], ("x", "y")).score_with(0, features)
    loaded = engine.load(features, events.labels[:500], events.weights[:500])
    assert np.max(np.abs(found - engine.predict(loaded))) < 1e-6
    logits = engine.logits(loaded)
    assert signal_logit(logits, CLASSES) == pytest.approx(
        np.log(found[:, 0] / (found[:, 1] + found[:, 2])), abs=1e-4
    )
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["classes"] == {"signal": ["ggH"], "ztt": ["ZTT"], "other": ["W", "TT"]}
    assert set(record["networks"][0]["events"]["train"]) == set(CLASSES.names)


def test_scores_are_named_and_the_largest_is_known() -> None:
    raw = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [np.nan] * 3], np.float32)
    found = name_scores(raw, CLASSES)
    assert list(found) == [
        *("nn_score", "nn_score_signal", "nn_score_ztt", "nn_score_other", "nn_class")
    ]
    assert found["nn_score_ztt"][:2] == pytest.approx([0.3, 0.1])
    assert found["nn_class"][:2].tolist() == [zlib.crc32(b"signal"), zlib.crc32(b"other")]
    assert np.isnan(found["nn_class"][2])
    two = Classes(("a", "b", "c"), (0, 2), True)
    assert name_scores(raw, two)["nn_score"][:2] == pytest.approx([0.7, 0.9])
    assert list(name_scores(raw[:, :1], BINARY)) == ["nn_score"]


def test_cuts_on_classes_exclude_each_other() -> None:
    cut = parse_expression('nn_class == "ztt" and x > 0')
    codes = {"nn_class": np.array([zlib.crc32(b"ztt"), zlib.crc32(b"a"), np.nan]), "x": np.ones(3)}
    assert cut.evaluate(codes).tolist() == [True, False, False]
    assert cut.texts == ("ztt",)
    assert provably_disjoint(cut, parse_expression('nn_class == "signal"'))
    assert not provably_disjoint(cut, parse_expression('nn_class == "ztt"'))
    for text in ('x == "ztt"', 'nn_class > "ztt"', '"ztt"', 'nn_class + "a" > 1'):
        with pytest.raises(TaipanError, match="is not allowed"):
            parse_expression(text)


SAMPLES = {"sig": Sample(role="signal", datasets=["S"])}
REGIONS = {
    "all": Region(cut="y > 0"),
    "like_a": Region(cut='y > 0 and nn_class == "a"', role="signal"),
    "like_b": Region(cut='y > 0 and nn_class == "b"', role="control"),
}


class ThreeClasses:
    """Scores by x and fold: a is x, b what is left of x for c, each event by its own network."""

    classes = Classes(("a", "b", "c"), (0,), True)

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, features: np.ndarray, folds: np.ndarray) -> np.ndarray:
        self.asked += len(features)
        a = features[:, 0] * np.where(folds == 0, 1.0, 0.5)
        return np.stack([a, 0.9 - a, np.full(len(a), 0.1)], axis=1)


def test_events_move_between_regions_of_classes_under_a_shift() -> None:
    """By hand: y > 0 for all but the last; the shift adds 0.2 to x of the second event alone."""
    analysis = replace(
        ANALYSIS,
        shifts={
            "push": Shift(
                lambda columns, size: {
                    **columns,
                    "x": columns["x"] + size * np.isclose(columns["x"], 0.4),
                },
                None,
                "",
            )
        },
    )
    ratio = {"ratio": DerivedQuantity(expression="nn_score_a / (nn_score_a + 3 * nn_score_c)")}
    analysis = add_quantities(analysis, ratio)
    systematics = {
        "push": make_systematic(kind="kinematic", shift="push", size=0.2, samples=["sig"])
    }
    observables = {
        "nn_score_b": Observable(label="b", binning=[0.0, 0.35, 0.6, 1.0]),
        "ratio": Observable(label="r", binning=[0.0, 0.65, 1.0]),
    }
    settings = FillSettings(
        *(SAMPLES, REGIONS, ("x",), observables, {}, template_variations(systematics, SAMPLES))
    )
    columns = {"x": np.array([0.6, 0.4, 0.8, 0.7]), "y": np.array([1.0, 1.0, 1.0, -1.0])}
    weights = EventWeights(np.array([1.0, 2.0, 4.0, 8.0]), {})
    events = DatasetEvents("S", False, columns, weights, np.array([0, 0, 1, 0]))
    scorer = ThreeClasses()
    filled, _ = fill_dataset(events, analysis, settings, scorer)

    def bins(name: str, region: str, label: str) -> list[float]:
        cell = {"process": "sig", "region": region, "variation": label}
        return filled[name][cell].values(flow=True)[1:-1].tolist()

    # a: 0.6, 0.4, 0.4 (second fold), b: 0.3, 0.5, 0.5
    assert bins("nn_score_b", "all", "nominal") == [1.0, 6.0, 0.0]
    assert bins("nn_score_b", "like_a", "nominal") == [1.0, 0.0, 0.0]
    assert bins("nn_score_b", "like_b", "nominal") == [0.0, 6.0, 0.0]
    # pushed up the second event has a = 0.6, b = 0.3; down a = 0.2, b = 0.7
    assert bins("nn_score_b", "like_a", "push_up") == [3.0, 0.0, 0.0]
    assert bins("nn_score_b", "like_b", "push_up") == [0.0, 4.0, 0.0]
    assert bins("nn_score_b", "like_b", "push_down") == [0.0, 4.0, 2.0]
    # 0.6/0.9 = 0.667, 0.4/0.7 = 0.571
    assert bins("ratio", "all", "nominal") == [6.0, 1.0]
    assert bins("ratio", "like_a", "push_up") == [0.0, 3.0]
    assert scorer.asked == 3 + 2  # once in a region, and the moved event twice


def test_samples_of_no_class_are_not_trained_on() -> None:
    regions = {"high": Region(cut="y > 0", role="signal")}
    samples = {
        "sig": Sample(role="signal", datasets=["S"]),
        "z": Sample(datasets=["B"]),
        "w": Sample(datasets=["W"]),
    }
    columns = {
        "event_hash": np.array([1, 2], np.uint64),
        "x": np.array([1.0, 2.0]),
        "y": np.ones(2),
    }
    datasets = [
        DatasetEvents(name, False, columns, EventWeights(np.ones(2), {}), np.array([0, 1]))
        for name in ("S", "B", "W")
    ]
    settings = CollectSettings("high", ("x",), samples, regions, {"z": ["z"], "h": ["sig"]})
    found = collect_training_set(datasets, ANALYSIS, settings, None)
    assert dict(zip(found.samples.tolist(), found.labels.tolist(), strict=True)) == {
        "sig": 1,
        "z": 0,
    }
    assert found.classes.signal == (1,)


def test_class_without_events_in_a_fold_is_named() -> None:
    events = make_set(300)
    empty = events.take(np.flatnonzero((events.labels != 1) | (events.folds != 1)))
    with pytest.raises(TaipanError, match=r"no class ztt \(classes.ztt\) event in fold 1"):
        empty.validate(2)


THREE = {"signal": ["S"], "ztt": ["ZTT"], "other": ["ZLL", "QCD"]}


def test_classes_of_a_configuration_are_checked() -> None:
    check({"classes": THREE})
    check({"classes": {"signal": ["S"], "ztt": ["ZTT"]}})  # others are only scored
    assert problems({"classes": {**THREE, "ztt": ["ZTR"]}}) == [
        "classes.ztt[0]: 'ZTR' is not a sample; did you mean 'ZTT'? (S, QCD, ZLL, ZTT)"
    ]
    assert problems({"classes": {**THREE, "ztt": ["ZTT", "QCD"]}}) == [
        "classes.other[1]: 'QCD' is already in class 'ztt'; one is allowed"
    ]
    assert problems({"classes": {"signal": ["S"], "rest": []}}) == [
        "classes.rest: empty; at least one sample is needed",
        "classes: no class has a sample with role background; at least one is needed",
    ]
    assert problems({"classes": {"all": ["S", "ZTT"], "rest": ["ZLL"]}}) == [
        "classes.all: 'S' is signal, 'ZTT' background; a class is one of the two, so that nn_score "
        "is the score of the signal"
    ]
    assert problems({"classes": {"signal": ["S"]}}) == [
        "classes: only signal; at least two are needed"
    ]


def test_uses_of_scores_are_checked() -> None:
    like = {"cut": 'q_1 * q_2 < 0 and mt_1 > 30 and mt_1 < 70 and nn_class == "ztt"'}
    check({"classes": THREE, "regions": {"like_ztt": like}})
    wrong = {"cut": like["cut"].replace("ztt", "zt")}
    assert problems({"classes": THREE, "regions": {"like_ztt": wrong}}) == [
        "regions.like_ztt.cut: 'zt' is not a class; did you mean 'ztt'? (signal, ztt, other)"
    ]
    (line, *_) = problems({"regions": {"like_ztt": like}})
    assert line == "regions.like_ztt.cut: 'nn_class' is not a score (nn_score)"
    unknown = {"observables": {"nn_score_w": {"label": "w", "binning": [0, 1]}}}
    (line,) = problems({"classes": THREE, **unknown})
    assert line.startswith("observables.nn_score_w: 'nn_score_w' is not a quantity")
    late = {"cut": "q_1 * q_2 < 0 and mt_1 < 30 and nn_score_ztt < 0.5"}
    (line,) = problems({"classes": THREE, "regions": {"sr": late}})
    assert line == (
        "training.region: the cut of 'sr' needs a score, which is not known there yet "
        "(cr, ss_sr, ss_cr)"
    )


class Remembering:
    """Best scores, but of events of one class that the network was trained on surer ones."""

    folds, networks = 2, 1

    def __init__(self, events: TrainingSet, memory: float) -> None:
        self.events, self.memory = events, memory

    def score_with(self, fold: int, features: np.ndarray) -> np.ndarray:
        split = split_folds(self.events.folds, self.events.identifiers, fold, 2)
        of_class = split.training & (self.events.labels == 1)
        known = {tuple(row) for row in self.events.features[of_class]}
        seen = np.array([tuple(row) in known for row in features])
        odds = np.log(posterior(features.astype(np.float64)))
        odds[:, 1] += self.memory * seen
        powers = np.exp(odds)
        return powers / powers.sum(axis=1, keepdims=True)

    def score(self, features: np.ndarray, folds: np.ndarray) -> np.ndarray:
        scores = np.stack([self.score_with(fold, features) for fold in range(2)])
        return scores[folds, np.arange(len(folds))]


def test_gate_finds_the_class_that_is_overtrained() -> None:
    events = make_set(3000, seed=9)
    settings = Overtraining(conditions=[OvertrainingCondition(metric="bce", max_ratio=1.02)])
    good = check_scorer(events, Remembering(events, 0.0), settings)
    assert good["passed"], [item for item in good["conditions"] if not item["passed"]]
    names = {item["name"] for item in good["conditions"]}
    assert {f"ks_probability_{name}" for name in CLASSES.names} < names
    assert {f"auc_gap_{name}" for name in CLASSES.names} < names
    bad = check_scorer(events, Remembering(events, 3.0), settings)
    failed = {item["name"] for item in bad["conditions"] if not item["passed"]}
    assert {"ks_probability_ztt", "auc_gap_ztt", "bce_ratio"} <= failed
    assert "ks_probability_signal" not in failed
    for row in good["folds"][0]["confusion"]:
        assert sum(row) == pytest.approx(1.0)
    # of unit Gaussians: P(right) by the posterior itself
    features, labels = draw_events(30_000, 3)
    right = np.argmax(posterior(features), axis=1) == labels
    for label in range(3):
        expected = right[labels == label].mean()
        assert good["folds"][0]["confusion"][label][label] == pytest.approx(expected, abs=0.05)


def test_sigma_mu_counts_each_class_with_its_expected_events() -> None:
    """Two bins of the signal's score; b is what the totals say, whatever the balanced weights."""
    scores = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1]])
    labels = np.repeat([0, 0, 1, 1, 2, 2], [40, 10, 10, 40, 25, 25])
    picked = np.repeat([0, 1, 0, 1, 0, 1], [40, 10, 10, 40, 25, 25])
    part = ScoredPart(scores[picked], labels, np.ones(150), (10.0, 100.0, 4.0), classes=CLASSES)
    assert set(part.of_class(1)[0]) == {0.05, 0.8}  # its own score
    assert set(part.of_kind(0)[0]) == {0.9, 0.1}  # that of the signal
    found = compare_metric("sigma_mu", part, part)
    # from low to high score: signal 2 and 8, of weight 0.2; background 80 + 2 and 20 + 2
    signal = np.array([[2.0, 8.0], [10 * 0.2**2, 40 * 0.2**2]])
    background = np.array([[82.0, 22.0], [40 * 2.0**2 + 25 * 0.08**2, 10 * 2.0**2 + 25 * 0.08**2]])
    expected = metrics.sigma_mu(signal, background)[0]
    assert expected == pytest.approx(0.698, abs=0.001)  # 0.677 without the noise of the templates
    assert found.train == pytest.approx(expected, rel=1e-6)
