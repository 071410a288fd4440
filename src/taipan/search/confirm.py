"""Comparison of the best trial with the configuration.

The best of several noisy scores is too good. So both sets of values are trained again and compared
on validation folds that ranked no trial, event by event. Imports TensorFlow when it trains.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.atomic import replacing
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.conditions import ScoredPart, compare_paired, measure_gain
from taipan.nn.data import Split, check_split, split_folds
from taipan.search.job import Search
from taipan.seeds import derive_seed

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """Settings to train with, and for each feature whether the network sees it."""

    name: str
    settings: Training
    used: tuple[bool, ...]

    def same_network(self, other: Candidate) -> bool:
        """Tell whether the other differs in its name alone."""
        return self.settings == other.settings and self.used == other.used


@dataclass(frozen=True)
class SearchGain:
    """Values found by a search against those of the configuration.

    Attributes
    ----------
    folds
        Validation folds.
    gains, errors
        By how much the values found are better in each fold, and the standard deviation.
    gain, error
        Mean over the folds. `error` is scaled with √(χ²/(folds - 1)) where the folds differ by
        more than their errors (Particle Data Group, Review of Particle Physics, Introduction):
        that is the spread between trainings.
    """

    folds: tuple[int, ...]
    gains: tuple[float, ...]
    errors: tuple[float, ...]
    gain: float
    error: float

    @property
    def sigma(self) -> float:
        """Significance of the gain."""
        return self.gain / self.error if self.error > 0.0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Give the entry of ``best_hps.json``."""
        return {**vars(self), "sigma": self.sigma}


@dataclass(frozen=True)
class Decision:
    """Whether values found replace those of the configuration, why, and what was compared."""

    taken: bool
    reason: str
    comparison: SearchGain | None = None


def decide(search: Search, configured: Candidate, found: Candidate, threads: int) -> Decision:
    """Decide whether the best trial replaces the values of the configuration.

    Networks are stopped by fold 2, 3, ... (`tuning.confirm_folds` of them) in place of fold 1,
    which ranked the trials, and trained on the rest; fold 0 takes no part. With two folds there is
    no other: fold 1 again, with another seed. Both candidates train with the same seeds and the
    same weights of the loss, made of the training events of each split. The best
    trial is not taken either if an overtraining condition fires between its networks that were
    trained on a fold and those that it stopped. A comparison that was killed goes on.

    Parameters
    ----------
    search
        The search.
    configured, found
        The two candidates.
    threads
        Threads of TensorFlow.

    Raises
    ------
    TaipanError
        If the training with the values of the configuration diverges or collapses.
    """
    if (decision := decide_untrained(search, configured, found)) is not None:
        return decision
    from taipan.nn.engine import prepare_tensorflow

    prepare_tensorflow(threads)
    splits = comparison_splits(search)
    before = _score_splits(search, configured, splits, threads)
    try:
        after = _score_splits(search, found, splits, threads)
    except TaipanError as error:
        return Decision(False, f"{found.name}: {error}")
    comparison = _compare(search, splits, before, after)
    if fired := _find_overtraining(search, splits, after):
        return Decision(False, f"{found.name} is overtrained: {fired}", comparison)
    limit = search.tuning.min_sigma
    taken = comparison.sigma > limit
    reason = (
        f"{found.name} has {search.tuning.objective} better by {comparison.gain:.5f} ± "
        f"{comparison.error:.5f}, {'above' if taken else 'not above'} {limit:g} sigma"
    )
    return Decision(taken, reason, comparison)


def decide_untrained(search: Search, configured: Candidate, found: Candidate) -> Decision | None:
    """Decide where no comparison is needed; None where it is."""
    if found.same_network(configured):
        return Decision(False, "no trial is better than the configuration")
    if search.tuning.confirm_folds == 0:
        return Decision(True, "taken without a comparison")
    return None


def _compare(
    search: Search, splits: Sequence[Split], before: list[FloatArray], after: list[FloatArray]
) -> SearchGain:
    folds, gains, errors = [], [], []
    for split, *both in zip(splits, before, after, strict=True):
        old, new = (_part(search, split, scores) for scores in both)
        gain, error = measure_gain(search.tuning.objective, old, new)
        folds.append(_fold(search, split))
        gains.append(gain)
        errors.append(error)
    return combine_folds(folds, gains, errors)


def _find_overtraining(
    search: Search, splits: Sequence[Split], scores: Sequence[FloatArray]
) -> str:
    """Say which condition fires between networks that saw a fold's events and that did not.

    The networks of two splits were each trained on the fold that stopped the other.
    """
    for i, split in enumerate(splits):
        unseen, seen = (_part(search, split, scores[j % len(splits)]) for j in (i, i + 1))
        for item in search.conditions:
            if len(splits) == 1 or item.metric.startswith("ks_"):
                continue
            found = compare_paired(item.metric, seen, unseen)
            if found.exceeds(item):
                return (
                    f"{item.metric} of fold {_fold(search, split)} is {found.train:.5f} for "
                    f"networks trained on it, {found.unseen:.5f} for others, ratio "
                    f"{found.ratio:.4f} ({found.sigma:.1f} sigma)"
                )
    return ""


def _part(search: Search, split: Split, scores: FloatArray) -> ScoredPart:
    """Take the validation events of a split with scores (n,) or (n, K) of all events."""
    rows, totals = np.flatnonzero(split.validation), search.events.class_totals(~split.held_out)
    weights = search.events.training_weights()
    classes = search.events.classes
    return ScoredPart(
        scores[rows], search.events.labels[rows], weights[rows], totals, classes=classes
    )


def combine_folds(
    folds: Sequence[int], gains: Sequence[float], errors: Sequence[float]
) -> SearchGain:
    """Average gains of folds, with the larger of the errors of events and of spread.

    Parameters
    ----------
    folds, gains, errors
        One number a fold.
    """
    n = len(folds)
    gain = math.fsum(gains) / n
    error = math.sqrt(math.fsum(value**2 for value in errors)) / n
    if n > 1 and min(errors) > 0.0:
        chi2 = math.fsum(((g - gain) / e) ** 2 for g, e in zip(gains, errors, strict=True))
        error *= max(1.0, math.sqrt(chi2 / (n - 1)))
    return SearchGain(tuple(folds), tuple(gains), tuple(errors), gain, error)


def check_comparison(search: Search) -> None:
    """Check, before any trial, that networks of the comparison can be trained.

    Raises
    ------
    TaipanError
        See :func:`~taipan.nn.data.check_split`; names the fold that would stop the training.
    """
    weights = search.events.training_weights()
    for split in comparison_splits(search) if search.tuning.confirm_folds else ():
        try:
            check_split(search.events, weights, split)
        except TaipanError as error:
            raise TaipanError(
                f"tuning: comparison on fold {_fold(search, split)}: {error}"
            ) from error


def comparison_splits(search: Search) -> list[Split]:
    """Split the events of folds 1 to k - 1 with another fold that stops the training."""
    events, k = search.events, search.training.folds
    first = split_folds(events.folds, events.identifiers, 0, k)
    splits = [
        replace(first, training=events.folds != fold, validation=events.folds == fold)
        for fold in range(2, min(k, 2 + search.tuning.confirm_folds))
    ]
    return splits or [first]


def _fold(search: Search, split: Split) -> int:
    return int(search.events.folds[split.validation][0])


def _physical_weights(search: Search, split: Split) -> FloatArray:
    """Give the physical weights of the loss of networks trained on a split, or read them.

    Those of network 0 are no use: they were made without fold 1, which has signed weights there.
    """
    if search.training.negative_weights == "signed_bounded":
        return search.events.weights
    from taipan.nn.weights.learned import weigh_training_events

    fold = _fold(search, split)
    path = search.folder / "confirm" / f"weights-fold{fold}.npy"
    if path.exists():
        return np.asarray(np.load(path))
    seed = derive_seed(search.seed, "confirm", "weights", fold)
    weights = weigh_training_events(search.events, split.training, search.training, seed)
    with replacing(path) as temporary:
        np.save(temporary, weights)
    return weights


def _score_splits(
    search: Search, candidate: Candidate, splits: Sequence[Split], threads: int
) -> list[FloatArray]:
    """Score all events by a network of each split, `threads` of them at the same time."""
    with ThreadPoolExecutor(max(1, min(threads, len(splits)))) as pool:
        return list(pool.map(lambda split: _scores(search, candidate, split), splits))


def _scores(search: Search, candidate: Candidate, split: Split) -> FloatArray:
    """Score all events by a network trained on a split, or read that if it was done before."""
    from taipan.nn.fold import FoldPlan, make_engine, train_fold

    events, fold = search.events, _fold(search, split)
    stem = search.folder / "confirm" / f"{candidate.name.replace(' ', '')}-fold{fold}"
    path = stem.with_suffix(".npy")
    path.parent.mkdir(exist_ok=True)
    if path.exists():
        return np.asarray(np.load(path))
    logger.info("%s is trained for the comparison on fold %d", candidate.name, fold)
    balanced = events.training_weights()
    engine = make_engine(events, candidate.settings)
    train_fold(
        engine,
        events,
        balanced,
        split,
        FoldPlan(candidate.settings, search.conditions, search.tuning.objective, candidate.used),
        derive_seed(search.seed, "confirm", fold),
        checkpoint=stem.with_suffix(".npz"),
        of_loss=events.training_weights(_physical_weights(search, split)),
    )
    scores = engine.predict(engine.load(events.features, events.labels, balanced))
    with replacing(path) as temporary:
        np.save(temporary, scores)
    stem.with_suffix(".npz").unlink(missing_ok=True)
    return scores
