"""Which hidden units a network can do without, and what is left when they are gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan import metrics
from taipan.explaining.units import HiddenUnits, relative_activation
from taipan.nn.classes import Classes
from taipan.nn.data import TrainingSet
from taipan.nn.scorer import evaluate_graph

Array = NDArray[np.float64]

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Units whose activity is below are removed."""
QUIET_ACTIVITY = 0.2
"""Activity below which a unit counts as quiet (arXiv:2210.04371)."""
LARGEST_LOSS = 0.002
"""Loss of AUC up to which removing units is suggested."""
_SEEN = 4000
"""Events on which activities are measured: of other folds than those that are judged."""


@dataclass(frozen=True)
class UnitsOfFold:
    """Hidden units of the network of a fold.

    Attributes
    ----------
    units
        Its layers.
    signal, background
        Relative activation of the units of each layer, shape ``(units,)``.
    means
        Mean activation of the units of each layer, shape ``(units,)``.
    """

    units: HiddenUnits
    signal: list[Array]
    background: list[Array]
    means: list[Array]

    @property
    def activity(self) -> list[Array]:
        """The larger of the two activations."""
        return [np.maximum(*pair) for pair in zip(self.signal, self.background, strict=True)]

    def prune(self, threshold: float) -> bytes:
        """Give the network without units whose activity is below a threshold."""
        return self.units.prune([item >= threshold for item in self.activity], self.means)


def measure_units(
    models: Sequence[str], events: TrainingSet, rng: np.random.Generator
) -> list[UnitsOfFold]:
    """Measure how active the hidden units are, in events that are not of the fold.

    Parameters
    ----------
    models
        ONNX file of each fold.
    events
        Events of all folds.
    rng
        Chooses the events.
    """
    is_signal = events.classes.is_signal(events.labels) == 1
    found = []
    for fold, path in enumerate(models):
        rows = rng.permutation(np.flatnonzero(events.folds != fold))[:_SEEN]
        units = HiddenUnits(path)
        activations = units.activations(events.features[rows])
        weights = events.weights[rows]
        signal, background = (
            [relative_activation(item[chosen], weights[chosen]) for item in activations]
            for chosen in (is_signal[rows], ~is_signal[rows])
        )
        # as networks are trained: both classes weigh the same
        number = is_signal[rows].sum()
        share = np.where(is_signal[rows], 0.5 / number, 0.5 / (len(rows) - number))
        means = [share @ item for item in activations]
        found.append(UnitsOfFold(units, signal, background, means))
    return found


def score_pruned(
    folds: Sequence[UnitsOfFold], events: TrainingSet, threshold: float, classes: Classes
) -> Array:
    """Score each event by the network of its fold, without the units below a threshold, (n,)."""
    scores = np.empty(len(events))
    for fold, units in enumerate(folds):
        rows = np.flatnonzero(events.folds == fold)
        (found,) = evaluate_graph(units.prune(threshold), events.features[rows], ["score"])
        scores[rows] = classes.signal_score(found if classes.softmax else found[:, 0])
    return scores


def statistical_sigma(events: TrainingSet, scores: Array, edges: Sequence[float]) -> float:
    """Give the expected statistical uncertainty of the signal strength, in the bins of the fit.

    Systematic uncertainties would need the templates of all variations.
    """
    labels = events.classes.is_signal(events.labels)
    return metrics.asimov_sigma_mu(labels, scores, events.weights, edges)


def try_pruning(
    folds: Sequence[UnitsOfFold],
    events: TrainingSet,
    before: Array,
    classes: Classes,
    edges: Sequence[float],
) -> list[dict[str, Any]]:
    """Remove units below each threshold, and measure what is left.

    Parameters
    ----------
    folds, events, classes
        As of :func:`score_pruned`.
    before
        Scores of the whole networks, shape ``(n,)``.
    edges
        Bins of the score in the fit.

    Returns
    -------
    list of dict
        ``threshold``, ``removed`` (share of the units), ``auc_loss`` (mean over folds and its
        error, on events that the networks never saw) and ``sigma`` (of statistics
        alone).
    """
    activity = [np.concatenate(item.activity) for item in folds]
    labels = events.classes.is_signal(events.labels)
    found = []
    for threshold in THRESHOLDS:
        after = score_pruned(folds, events, threshold, classes)
        losses = []
        for fold in range(len(folds)):
            rows = events.folds == fold
            part = labels[rows], events.weights[rows]
            whole, pruned = (metrics.auc(part[0], s[rows], part[1]) for s in (before, after))
            losses.append(whole - pruned)
        found.append(
            {
                "threshold": threshold,
                "removed": float(np.mean(np.concatenate(activity) < threshold)),
                "auc_loss": [float(np.mean(losses)), float(np.std(losses) / np.sqrt(len(losses)))],
                "sigma": statistical_sigma(events, after, edges),
            }
        )
    return found


def suggest_threshold(tried: Sequence[dict[str, Any]]) -> float | None:
    """Give the largest threshold up to which every one loses little; None if there is none."""
    best = None
    for item in tried:
        if item["auc_loss"][0] > LARGEST_LOSS:
            break
        best = float(item["threshold"])
    return best
