"""A fresh adversary: how well data and simulation can be told apart by a score that is frozen.

The adversary of a training is the opponent that the network has learned to beat, so it cannot be
the judge. This one is fitted anew to the finished score and judged on events it has not seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError
from taipan.metrics import auc_with_uncertainty, n_eff

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

EVENTS_PER_KNOT = 100
"""Effective events for each knot of the score, between the smallest and largest number of knots."""
_KNOTS = (3, 15)
_CONDITION_KNOTS = 3
_RIDGE = 3.0  # effective events at 1/2 that are added to each basis function
MIN_EFFECTIVE_EVENTS = 100
"""Smallest n_eff of each domain that an adversary is fitted to."""


@dataclass(frozen=True)
class FreshAdversary:
    """Out-of-fold area under the ROC curve of data against simulation.

    Attributes
    ----------
    auc, sigma
        Mean over the folds and its statistical uncertainty; 0.5 if the two are alike.
    folds
        Area of each fold.
    """

    auc: float
    sigma: float
    folds: tuple[float, ...]


def fresh_adversary(
    scores: Array,
    is_data: NDArray[np.bool_],
    weights: Array,
    folds: int,
    rng: np.random.Generator,
    conditions: Array | None = None,
) -> FreshAdversary:
    """Fit data against simulation to a score, and measure the area under its ROC curve.

    The probability of data is a sum of hat functions whose knots are quantiles of the score,
    fitted by least squares with signed weights: unlike a cross-entropy the loss has one minimum,
    in closed form, and is bounded for any sign. Each fold is judged by the fit to the others, with
    the uncertainty of :func:`taipan.metrics.auc_with_uncertainty` (which grows as 1/n_eff).
    Areas of folds are averaged: events of different folds, whose fits are not independent of
    each other's events, are not compared. Where there is nothing to learn, the area of fold k is a
    sum of products of the noise of fold k with that of each other fold, and each product is in two
    areas: the variance of the mean is twice that of independent areas. It is taken so always,
    which makes the uncertainty of a clear difference up to √2 too large.

    Parameters
    ----------
    scores
        Shape (n,).
    is_data
        Shape (n,): data (and what is subtracted from it), or simulation.
    weights
        Shape (n,), signed; the totals of the two are matched here.
    folds
        Number of folds.
    rng
        Divides the events.
    conditions
        Shape (n, c), finite: variables that the adversary sees, too; the answer to the score
        may depend on each.

    Raises
    ------
    TaipanError
        If a domain has fewer than `MIN_EFFECTIVE_EVENTS`, or a fold no positive sum of weights.
    """
    for chosen, what in ((is_data, "data"), (~is_data, "simulation")):
        effective = n_eff(weights[chosen])
        if effective < MIN_EFFECTIVE_EVENTS or not weights[chosen].sum() > 0.0:
            raise TaipanError(
                f"{effective:.1f} effective events of {what}, Σw = {weights[chosen].sum():.4g}; "
                f"a fresh adversary needs {MIN_EFFECTIVE_EVENTS}"
            )
    fold = _divide(is_data, folds, rng)
    areas, variances = [], []
    for k in range(folds):
        seen, unseen = fold != k, fold == k
        basis = _Basis.of(scores[seen], is_data[seen], weights[seen], _pick(conditions, seen))
        answer = basis.evaluate(scores[unseen], _pick(conditions, unseen))
        labels = is_data[unseen].astype(np.int64)
        found = auc_with_uncertainty(labels, answer, weights[unseen])
        areas.append(found.value)
        variances.append(found.sigma**2)
    # two folds judge each other with the same pairs of events: twice the variance (see above)
    sigma = math.sqrt(2.0 * float(np.sum(variances))) / folds
    return FreshAdversary(float(np.mean(areas)), sigma, tuple(areas))


def _pick(values: Array | None, chosen: Array) -> Array | None:
    return None if values is None else values[chosen]


def _divide(is_data: NDArray[np.bool_], folds: int, rng: np.random.Generator) -> Array:
    """Divide each domain into folds of equal numbers of events."""
    fold = np.empty(len(is_data), dtype=np.int64)
    for chosen in (is_data, ~is_data):
        fold[chosen] = rng.permutation(np.arange(int(chosen.sum())) % folds)
    return fold


@dataclass(frozen=True)
class _Basis:
    """Hat functions of the score, alone and times those of each condition, and a fit in them."""

    knots: FloatArray
    condition_knots: tuple[FloatArray, ...]
    coefficients: FloatArray

    @classmethod
    def of(cls, scores: Array, is_data: Array, weights: Array, conditions: Array | None) -> _Basis:
        """Fit the probability of data to events; both domains get the same total weight."""
        sizes = [n_eff(weights[chosen]) for chosen in (is_data, ~is_data)]
        number = int(np.clip(min(sizes) / EVENTS_PER_KNOT, *_KNOTS))
        knots = _quantiles(scores, weights, number)
        others = () if conditions is None else tuple(conditions.T)
        condition_knots = tuple(_quantiles(item, weights, _CONDITION_KNOTS) for item in others)
        design = _design(knots, condition_knots, scores, conditions)
        share = np.where(
            is_data, weights / weights[is_data].sum(), weights / weights[~is_data].sum()
        )
        target = np.where(is_data, 0.5, -0.5)
        weighted = design * share[:, None]
        ridge = _RIDGE / min(sizes)
        eigenvalues, vectors = np.linalg.eigh(design.T @ weighted)
        # signed weights may leave a direction without events in the sum: never below the ridge
        inverse = 1.0 / (np.maximum(eigenvalues, 0.0) + ridge)
        coefficients = vectors @ (inverse * (vectors.T @ (weighted.T @ target)))
        return cls(knots, condition_knots, coefficients)

    def evaluate(self, scores: Array, conditions: Array | None) -> FloatArray:
        """Give the probability of data, less one half, of events."""
        design = _design(self.knots, self.condition_knots, scores, conditions)
        return np.asarray(design @ self.coefficients)


def _quantiles(values: Array, weights: Array, number: int) -> FloatArray:
    """Give so many knots that divide Σ|w| equally; fewer where values are equal."""
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(np.abs(weights[order]))
    places = np.searchsorted(sums, np.linspace(0.0, 1.0, number) * sums[-1])
    found = np.unique(values[order][np.minimum(places, len(values) - 1)])
    return np.asarray(found, dtype=np.float64)


def _design(
    knots: FloatArray,
    condition_knots: tuple[FloatArray, ...],
    scores: Array,
    conditions: Array | None,
) -> FloatArray:
    hats = _hats(scores, knots)
    columns = [hats]
    for i, others in enumerate(condition_knots):
        assert conditions is not None
        more = _hats(conditions[:, i], others)
        columns += [hats * more[:, [j]] for j in range(more.shape[1])]
    return np.concatenate(columns, axis=1)


def _hats(values: Array, knots: FloatArray) -> FloatArray:
    """Give piecewise linear functions that are 1 at one knot each; constant beyond the edges."""
    places = np.interp(values, knots, np.arange(len(knots)))
    return np.clip(1.0 - np.abs(places[:, None] - np.arange(len(knots))), 0.0, None)
