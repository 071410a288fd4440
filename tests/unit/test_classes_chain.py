"""Networks of several classes through search, adversary, importance, negative weights, figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from taipan.analysis import Shift
from taipan.columns.derived import add_quantities
from taipan.config.sections.observables import DerivedQuantity
from taipan.config.sections.overtraining import Overtraining
from taipan.config.sections.training import Training
from taipan.config.sections.tuning import Tuning
from taipan.coverage.bins import FitBins, SourceData
from taipan.coverage.draw import Universe
from taipan.coverage.sample_events import SampleEvents
from taipan.coverage.truth import Truth
from taipan.nn.adversary.events import Opponent, OpponentEvents
from taipan.nn.adversary.monitor import divergence
from taipan.nn.data import split_folds
from taipan.nn.fold import FoldPlan, make_engine, train_fold
from taipan.nn.overtraining import check_scorer, leave_out_overtraining
from taipan.nn.weights.transform import loss_weights
from taipan.plotting.confusion import confusion_figure, confusion_numbers
from taipan.plotting.training import (
    learning_figure,
    learning_numbers,
    roc_figure,
    roc_numbers,
    score_figure,
    score_numbers,
)
from taipan.search.importance import permutation_importance
from taipan.search.job import read_search
from taipan.search.tune import search_hyperparameters
from taipan.systematics.registry import make_systematic
from tests.three_gaussians import CLASSES, make_set, posterior
from tests.tiny_analysis import ANALYSIS
from tests.unit.test_classes import REGIONS, SAMPLES, Remembering, ThreeClasses

SETTINGS = {
    "networks": 1,
    "folds": 3,
    "activation": "relu",
    "hidden_layers": [16],
    "dropout": 0.0,
    "batch_size": 256,
    "learning_rate": 1e-2,
    "epochs": 8,
    "patience": 8,
    "logit_bound": 6.0,
}
HEADER = {"label": "test", "luminosity": 1.0, "energy": 8.0}


def test_search_ranks_trials_by_the_metric_of_all_classes(tmp_path: Path) -> None:
    events = make_set(900, folds=3)
    tuning = Tuning(
        trials=2,
        workers=1,
        first_check=0,
        confirm_folds=1,
        objective="bce",
        min_sigma=0.0,
        space={"layers": [1], "units": [4, 32], "batch_size": [256]},
    )
    training = Training(**{**SETTINGS, "epochs": 4})
    found = search_hyperparameters(events, training, tuning, [], 3, tmp_path)
    best = min(found.trials, key=lambda trial: trial.result["validation_bce"])
    assert found.best.number == best.number
    # between the best possible and a guess, ln 3
    assert 0.59 < found.best.result["objective"] < 1.05
    (folder,) = tmp_path.glob("search-*")
    assert read_search(folder).events.classes == CLASSES


def make_control(n: int, seed: int) -> OpponentEvents:
    """Data whose x is shifted by one against simulation, in place of the signal's direction."""
    generator = np.random.default_rng(seed)
    targets = (np.arange(n) % 2).astype(np.float32)
    features = generator.normal(0.0, 1.0, (n, 2)).astype(np.float32)
    features[:, 0] += targets
    identifiers = generator.integers(0, 2**63, n).astype(np.uint64)
    return OpponentEvents(
        features=features,
        conditions=np.zeros((n, 0), np.float32),
        folds=(identifiers % np.uint64(3)).astype(np.int64),
        identifiers=identifiers,
        targets=targets,
        weights=np.ones(n),
    )


def test_adversary_sees_all_logits_and_takes_the_difference_out_of_the_score() -> None:
    events, control = make_set(1800, folds=3), make_control(1800, 5)
    split = split_folds(events.folds, events.identifiers, 0, 3)
    edges = np.linspace(-3.0, 3.0, 9)
    left = {}
    for strength in (0.0, 20.0):
        adversary = {"enabled": True, "strength": strength, "warmup_epochs": 2, "emphasis": 0.0}
        training = Training(**SETTINGS, adversary=adversary)
        opponent = Opponent("control_sample", "domain", strength, control)
        engine = make_engine(events, training, [opponent])
        (model,) = engine.duel.adversaries
        assert model.input_shape == (None, 3)
        train_fold(engine, events, events.training_weights(), split, FoldPlan(training), 3)
        loaded = engine.load(control.features, control.targets, control.weights)
        logits = engine.signal_logits(loaded)
        left[strength] = divergence("domain", logits, control.targets, control.weights, edges)
    assert left[0.0] > 0.03  # nats: x tells data from simulation, and the signal
    assert left[20.0] < 0.5 * left[0.0]


class BestScores:
    """The best scores of the Gaussians, for every fold."""

    folds, networks, classes = 2, 1, CLASSES

    def score_with(self, fold: int, features: np.ndarray) -> np.ndarray:
        return posterior(features.astype(np.float64))


def test_importance_is_the_loss_of_the_mean_area() -> None:
    """The signal is told by x, the two others by y; shuffling both leaves nothing."""
    events = make_set(3000, seed=4)
    found = permutation_importance(events, BestScores(), 2, 1)
    assert found["x"].mean > 0.1
    assert found["y"].mean > 0.1
    noise = np.random.default_rng(0).normal(size=(3000, 1)).astype(np.float32)
    wider = replace(
        events,
        features=np.hstack([events.features, noise]),
        names=("x", "y", "noise"),
    )

    class Blind(BestScores):
        def score_with(self, fold: int, features: np.ndarray) -> np.ndarray:
            return posterior(features[:, :2].astype(np.float64))

    assert permutation_importance(wider, Blind(), 2, 1)["noise"].mean == 0.0


@pytest.mark.parametrize("method", ["abs", "drop"])
def test_methods_of_negative_weights_keep_the_sum_of_each_sample(method: str) -> None:
    events = make_set(900, negative=0.2, folds=3)
    training = Training(**SETTINGS, negative_weights=method)
    physical = loss_weights(events, training, None)[0]
    split = split_folds(events.folds, events.identifiers, 0, 3)
    assert (physical[split.training] >= 0.0).all()
    for sample in np.unique(events.samples):
        chosen = split.training & (events.samples == sample)
        assert physical[chosen].sum() == pytest.approx(events.weights[chosen].sum())


def test_figures_show_every_class() -> None:
    events = make_set(900, seed=6)
    verdict = check_scorer(events, Remembering(events, 0.0), Overtraining(conditions=[]))
    numbers = score_numbers(verdict, HEADER)
    assert list(numbers["scores"]) == list(CLASSES.names)
    texts = [t.get_text() for t in score_figure(numbers).legends[0].get_texts()]
    assert texts[:2] == ["signal, training", "signal, held out"]
    roc = roc_numbers(verdict, HEADER, "ztt")
    area = roc["background_rejection"]["held_out"]["auc"]
    # by the trapezoids of the mean curve
    drawn = np.trapezoid(roc["background_rejection"]["held_out"]["mean"], dx=0.01)
    assert drawn == pytest.approx(area, abs=0.01)
    assert roc_figure(roc).axes[0].get_xlabel() == "Efficiency of class ztt"
    confusion = confusion_numbers(verdict, HEADER)
    cells = [text.get_text() for text in confusion_figure(confusion).axes[0].texts]
    assert cells[0].startswith(f"{confusion['shares'][0][0]:.3f}")
    history = {
        f"{part}_{m}": [0.6, 0.5] for part in ("train", "validation") for m in ("brier", "auc")
    }
    record = {
        "settings": {"early_stopping_metric": "brier"},
        "classes": {name: [] for name in CLASSES.names},
        "networks": [{"fold": 0, "network": 1, "best_epoch": 1, "history": history}],
    }
    axes = learning_figure(learning_numbers(record, HEADER)).axes
    assert axes[0].get_ylabel() == "Brier score, sum of the classes"


def test_gate_of_a_classifier_from_elsewhere_is_not_applicable() -> None:
    verdict = leave_out_overtraining(Overtraining())
    assert (verdict["passed"], verdict["conditions"]) == (True, [])
    assert verdict["warnings"] == [
        "overtraining is not judged: the classifier was trained elsewhere, on events that are not "
        "at hand"
    ]


def test_pseudo_data_are_counted_in_the_regions_of_classes() -> None:
    """As templates: the second event moves from b to a under a pull of one; x alone is scored."""
    shift = Shift(
        lambda columns, size: {
            **columns,
            "x": columns["x"] + size * np.isclose(columns["x"], 0.4),
        },
        None,
        "",
    )
    analysis = replace(ANALYSIS, shifts={"push": shift})
    ratio = {"ratio": DerivedQuantity(expression="nn_score_a / (nn_score_a + 3 * nn_score_c)")}
    analysis = add_quantities(analysis, ratio)
    push = make_systematic(kind="kinematic", shift="push", size=0.2, samples=["sig"])
    config: Any = SimpleNamespace(
        samples=SAMPLES, regions=REGIONS, features=("x",), systematics={"push": push}
    )
    columns = {"x": np.array([0.6, 0.4, 0.8, 0.7]), "y": np.array([1.0, 1.0, 1.0, -1.0])}
    weights, folds = np.array([1.0, 2.0, 4.0, 8.0]), np.array([0, 0, 1, 0])
    events = SampleEvents("sig", columns, weights, {}, folds)
    edges = {"like_a": np.array([0.0, 0.65, 1.0]), "like_b": np.array([0.0, 1.0])}
    bins = FitBins("ratio", edges, frozenset(["like_b"]))
    universe = Universe(analysis, config, bins, ThreeClasses())
    nothing = SourceData({}, {}, None)
    found = universe.expected([events], Truth(1.0, {"push": 0.0}, {}), nothing)
    assert {k: v.tolist() for k, v in found.items()} == {"like_a": [0.0, 1.0], "like_b": [6.0]}
    found = universe.expected([events], Truth(1.0, {"push": 1.0}, {}), nothing)
    assert {k: v.tolist() for k, v in found.items()} == {"like_a": [0.0, 3.0], "like_b": [4.0]}
    assert universe.selected(events, Truth(1.0, {"push": 0.0}, {})).tolist() == [True] * 3 + [False]
