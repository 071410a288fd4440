"""Say what the networks look at: importances, attributions, active units, pruning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.atomic import read_json, write_json, write_text
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.explaining.attribution import integrate_gradients
from taipan.explaining.conditional import exchange_conditionally
from taipan.explaining.pruning import (
    QUIET_ACTIVITY,
    UnitsOfFold,
    measure_units,
    statistical_sigma,
    suggest_threshold,
    try_pruning,
)
from taipan.explaining.text import write_explanation
from taipan.jobs.figures import Figure, FigureFiles
from taipan.nn.data import TrainingSet
from taipan.nn.inputs import TrainingInputs, open_training_set
from taipan.nn.scorer import FoldScorer
from taipan.plotting.explaining import (
    activity_figure,
    attributions_figure,
    importances_figure,
    pruning_figure,
)
from taipan.plotting.style import save_figure
from taipan.search.importance import permutation_importance

FIGURES = (
    Figure("importances", "Robustness"),
    Figure("attributions", "Robustness"),
    Figure("activity", "Robustness"),
    Figure("pruning", "Robustness"),
)
_SHARE_ATTRIBUTED = 0.4
"""Of `robustness.events`, for each class: gradients cost two evaluations a feature and step."""


def explain(
    inputs: TrainingInputs,
    models: Sequence[str],
    record: str,
    config: Config,
    seed: int,
    threads: int,
    header: dict[str, Any],
    explained: str,
    text: str,
    figures: FigureFiles,
) -> None:
    """Write what features and hidden units are worth, with four figures.

    Parameters
    ----------
    inputs
        Events of the training, and what was measured for them.
    models
        ONNX file of each fold.
    record
        What was written beside the workspace of the fit of the score: the bins.
    config
        Sections `folder`, `samples`, `regions`, `features`, `categorical`, `training` and
        `robustness` (events, repeats).
    seed
        Seed of the chosen events and of what is exchanged.
    threads
        Threads of a network.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    explained, text
        Files to write: JSON and Markdown (``docs/explaining.md``).
    figures
        Files of the figures.

    Raises
    ------
    TaipanError
        If the region is not fitted, or the classifier has no hidden units.
    """
    region = config.training.region
    fitted = read_json(record)["regions"]
    if region not in fitted:
        raise TaipanError(f"training.region: {region!r} is not fitted ({', '.join(fitted)})")
    rng = np.random.default_rng(seed)
    events = open_training_set(inputs, config)
    scorer = FoldScorer(models, events.names, threads)
    folds = measure_units(models, events, rng)
    scores = np.asarray(scorer.classes.signal_score(scorer.score(events.features, events.folds)))
    edges = [float(edge) for edge in fitted[region]["edges_after"]]
    tried = try_pruning(folds, events, scores, scorer.classes, edges)
    content = {
        "importances": _measure_importances(events, scorer, config, seed, rng),
        **_attribute(events, scorer, config, rng),
        "quiet": QUIET_ACTIVITY,
        **_describe_units(folds),
        "sigma": statistical_sigma(events, scores, edges),
        "suggested": suggest_threshold(tried),
        "tried": tried,
    }
    write_json(explained, content)
    write_text(text, write_explanation(content))
    numbers = {"header": header, **content}
    save_figure(importances_figure(numbers), figures["importances"], numbers)
    save_figure(attributions_figure(numbers), figures["attributions"], numbers)
    save_figure(activity_figure(numbers), figures["activity"], numbers)
    save_figure(pruning_figure(numbers), figures["pruning"], numbers)


def _measure_importances(
    events: TrainingSet, scorer: FoldScorer, config: Config, seed: int, rng: np.random.Generator
) -> dict[str, dict[str, list[float]]]:
    """Loss of AUC of each feature when it is shuffled, and when it is exchanged among like ones."""
    most = 10 * config.robustness.events
    chosen = events.take(np.sort(rng.permutation(len(events))[:most]))
    repeats = config.robustness.repeats
    shuffled = permutation_importance(chosen, scorer, repeats, seed)
    conditional = permutation_importance(chosen, scorer, repeats, seed, exchange_conditionally)
    return {
        name: {
            "shuffled": [shuffled[name].mean, shuffled[name].sigma],
            "conditional": [conditional[name].mean, conditional[name].sigma],
        }
        for name in events.names
    }


def _attribute(
    events: TrainingSet, scorer: FoldScorer, config: Config, rng: np.random.Generator
) -> dict[str, Any]:
    """Integrate gradients of as many events of each class."""
    signal = events.classes.is_signal(events.labels) == 1
    number = max(1, int(_SHARE_ATTRIBUTED * config.robustness.events))
    parts = [rng.permutation(np.flatnonzero(c))[:number] for c in (signal, ~signal)]
    chosen = events.take(np.concatenate(parts))
    held = [i for i, name in enumerate(chosen.names) if name in chosen.categorical]

    def score(features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(scorer.classes.signal_score(scorer.score(features, chosen.folds)))

    found = integrate_gradients(score, chosen.features, held)
    is_signal = chosen.classes.is_signal(chosen.labels) == 1
    sizes = np.abs(found.values)
    attributions = {
        name: {
            label: _average(sizes[rows, column], chosen.weights[rows])
            for label, rows in (("background", ~is_signal), ("signal", is_signal))
        }
        for column, name in enumerate(chosen.names)
    }
    held_names = [chosen.names[i] for i in held]
    gap = float(np.abs(found.gap).max())
    return {"attributions": attributions, "held": held_names, "largest_gap": gap}


def _average(values: NDArray[np.float64], weights: NDArray[np.float64]) -> list[float]:
    """Weighted mean and its statistical error."""
    total = float(weights.sum())
    mean = float(values @ weights) / total
    error = float(np.sqrt(((weights * (values - mean)) ** 2).sum())) / abs(total)
    return [mean, error]


def _describe_units(folds: Sequence[UnitsOfFold]) -> dict[str, Any]:
    """Activity of the units of the first network, and the share of quiet ones of all."""
    first = folds[0]
    own = [i for i, layer in enumerate(first.units.layers) if layer.member == 0]
    activity = np.concatenate([layer for fold in folds for layer in fold.activity])
    return {
        "units": len(activity),
        "quiet_share": float(np.mean(activity < QUIET_ACTIVITY)),
        "layers": [
            {"signal": first.signal[i].tolist(), "background": first.background[i].tolist()}
            for i in own
        ],
    }


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(explain)
