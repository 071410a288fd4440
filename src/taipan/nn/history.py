"""Decisions of a training from its history alone: learning rate, end, epoch to keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.overtraining import OvertrainingCondition
from taipan.config.sections.training import Training
from taipan.nn.conditions import HIGHER_IS_BETTER, compare_values

History = dict[str, list[float]]

_SMALLEST_R2 = 0.9  # of a fitted history; below it the fit says nothing
_FEWEST_EPOCHS = 10  # for a fit of five parameters
_PLATEAU_FACTOR = 0.5


@dataclass(frozen=True)
class ChosenEpoch:
    """The epoch to keep, and whether it is overtrained (because all are)."""

    epoch: int
    overtrained: bool


def stop_reason(history: Mapping[str, list[float]], settings: Training, metric: str) -> str | None:
    """Tell why the training ends now; None if it goes on, empty if all epochs are done.

    An epoch is an improvement only if its metric is the best so far among the epochs that are not
    overtrained. Epochs without improvement and consecutive overtrained epochs are counted apart.
    """
    overtrained = history.get("overtrained", [])
    epochs = len(overtrained)
    if not epochs:
        return None
    best = choose_epoch(history, metric, "best_value", ())
    # Epochs of a warm-up are none of those that could have been better.
    settled = epochs - _warmup(history)
    since = settled if best.overtrained else min(settled, epochs - 1 - best.epoch)
    in_a_row = next((i for i, value in enumerate(reversed(overtrained)) if not value), epochs)
    in_a_row = min(settled, in_a_row)
    if in_a_row >= settings.overtraining_patience:
        return f"{in_a_row} overtrained epochs"
    if since >= settings.patience:
        return f"{since} epochs without improvement"
    return "" if epochs >= settings.epochs else None


def learning_rate(history: Mapping[str, list[float]], settings: Training, metric: str) -> float:
    """Learning rate of the next epoch, by `training.schedule`.

    The first epoch of a fine-tuning has 0, so that it is the network as it was pre-trained, which
    may be the one to keep.
    """
    epoch = len(history.get("loss", ()))
    if settings.pretrain.enabled and epoch == 0:
        return 0.0
    if settings.schedule == "cosine":
        return 0.5 * settings.learning_rate * (1.0 + math.cos(math.pi * epoch / settings.epochs))
    if settings.schedule == "plateau":
        wait, best, last, steps = max(settings.patience // 3, 1), math.inf, 0, 0
        for index, value in enumerate(_to_minimise(history, metric)):
            if value < best:
                best, last = value, index
            elif index - last >= wait:
                last, steps = index, steps + 1
        return settings.learning_rate * _PLATEAU_FACTOR**steps
    return settings.learning_rate


def choose_epoch(
    history: Mapping[str, list[float]],
    metric: str,
    selection: str,
    conditions: Sequence[OvertrainingCondition],
) -> ChosenEpoch:
    """Choose the epoch whose weights are kept.

    Parameters
    ----------
    history
        Histories of a training; epochs with `warming_up` of 1 are not chosen if there are others.
    metric
        Metric of the validation events to choose by.
    selection
        `best_value`: the best value among epochs that are not overtrained. `best_fit`: the same
        with the curve A/x² + B/x + C x² + D x + E fitted to the history in place of its values,
        the conditions evaluated on fitted curves too; `best_value` if R² of the metric is below
        0.9. A curve is not misled by an epoch that is good by chance.
    conditions
        Overtraining conditions, for `best_fit`.
    """
    values = np.asarray(_to_minimise(history, metric))
    overtrained = np.asarray(history["overtrained"]) > 0.0
    if selection == "best_fit" and (fitted := _fit_curve(values)) is not None:
        values, overtrained = fitted, _fitted_overtraining(history, conditions, overtrained)
    warmup = _warmup(history)
    if warmup == len(values):
        return ChosenEpoch(len(values) - 1, bool(overtrained[-1]))
    allowed = np.flatnonzero(~overtrained[warmup:])
    if not len(allowed):
        return ChosenEpoch(warmup + int(np.argmin(values[warmup:])), True)
    return ChosenEpoch(warmup + int(allowed[np.argmin(values[warmup:][allowed])]), False)


def _warmup(history: Mapping[str, list[float]]) -> int:
    """Epochs at the start in which the strength of an adversary was below its full value."""
    return int(sum(history.get("warming_up", ())))


def _to_minimise(history: Mapping[str, list[float]], metric: str) -> list[float]:
    values = history.get(f"validation_{metric}", [])
    return [-value for value in values] if metric in HIGHER_IS_BETTER else values


def _fitted_overtraining(
    history: Mapping[str, list[float]],
    conditions: Sequence[OvertrainingCondition],
    overtrained: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Whether a condition fires on the fitted curves; on the values where a fit is too bad."""
    result = np.zeros(len(overtrained), dtype=bool)
    for item in conditions:
        train, unseen = (
            _fit_curve(np.asarray(history.get(f"{part}_{item.metric}", ())))
            for part in ("train", "validation")
        )
        errors = history.get(f"error_{item.metric}")
        if errors is None or train is None or unseen is None:
            return overtrained
        offsets = history.get(f"offset_{item.metric}", [0.0] * len(errors))
        for epoch, values in enumerate(zip(train, unseen, errors, offsets, strict=True)):
            result[epoch] |= compare_values(item.metric, *values).exceeds(item)
    return result


def _fit_curve(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Least-squares curve through a history; None if it describes it badly."""
    if len(values) < _FEWEST_EPOCHS:
        return None
    x = np.arange(1, len(values) + 1, dtype=np.float64)
    terms = np.stack([x**-2, 1.0 / x, (x / len(x)) ** 2, x / len(x), np.ones_like(x)], axis=1)
    solution, *_ = np.linalg.lstsq(terms, values)
    fitted = terms @ solution
    spread = float(np.sum((values - values.mean()) ** 2))
    residual = float(np.sum((values - fitted) ** 2))
    if spread <= 0.0 or 1.0 - residual / spread < _SMALLEST_R2:
        return None
    return np.asarray(fitted)
