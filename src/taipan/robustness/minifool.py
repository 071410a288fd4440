"""The smallest likely change of an event that moves its score, and noise of the same size.

After MiniFool (arXiv:2511.01352), of which the abstract is public: per event
α·χ²/N + β·(f − g)² is minimised, where χ²/N is the mean of (Δx/σ)² over the features that have a σ
and g the score of the other class. Here χ²/N has a cap, because the minimum depends on α: a small α
gives changes that no detector makes (χ²/N of 20), a large one less than noise does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError
from taipan.robustness.model import AttackTarget, share

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MiniFool:
    """Settings of the attack.

    Attributes
    ----------
    alpha, beta
        Weights of the size of a change and of the distance to the wanted score.
    cap
        Largest χ²/N.
    steps
        Steps of the minimisation.
    """

    alpha: float = 0.1
    beta: float = 1.0
    cap: float = 1.0
    steps: int = 15


@dataclass(frozen=True)
class Flips:
    """How many events change sides, of those that were right and of those that were wrong.

    Attributes
    ----------
    size
        Factor of all σ.
    right, wrong
        Share of Σw that changes sides.
    control_right, control_wrong
        The same with Gaussian noise that has the χ² of the attack, event by event.
    chi2
        Mean χ²/N of the changes.
    """

    size: float
    right: float
    wrong: float
    control_right: float
    control_wrong: float
    chi2: float


def attack_events(target: AttackTarget, settings: MiniFool, towards_wrong: bool = True) -> Array:
    """Minimise α·χ²/N + β·(f − g)² for each event, by projected gradient descent.

    Parameters
    ----------
    target
        Events and classifier.
    settings
        Settings.
    towards_wrong
        Each event is pulled to the side it is not on now, which needs no labels.

    Returns
    -------
    ndarray
        Δx/σ, shape ``(n, f)``; 0 for features without σ.

    Raises
    ------
    TaipanError
        If the classifier has no gradient.
    """
    if not (target.sigma > 0).any():
        return np.zeros(target.events.shape)
    if not target.has_gradient():
        raise TaipanError(
            "robustness: the classifier has no gradient, as trees have none; MiniFool needs one "
            "(`shuffle` and `sources` do not)"
        )
    movable = (target.sigma > 0) & np.isfinite(target.events)
    number = np.maximum(movable.sum(axis=1), 1)[:, None]
    now = target.scores() >= 0.5
    wanted = np.where(now == towards_wrong, 0.0, 1.0)
    pulls = np.zeros(target.events.shape)
    best, lowest = pulls, np.full(len(pulls), np.inf)
    for step in range(settings.steps + 1):
        events = shift_events(target, pulls)
        scores = target.scores(events)
        cost = settings.alpha * (pulls**2).sum(axis=1) / number[:, 0]
        cost = cost + settings.beta * (scores - wanted) ** 2
        better = cost < lowest
        best, lowest = np.where(better[:, None], pulls, best), np.where(better, cost, lowest)
        if step == settings.steps:
            return best
        slope = 2.0 * settings.beta * (scores - wanted)[:, None]
        slope = slope * target.gradient(events, target.rows)
        slope = np.where(movable, slope + 2.0 * settings.alpha * pulls / number, 0.0)
        length = np.linalg.norm(slope, axis=1, keepdims=True)
        rate = 0.5 * np.sqrt(number * settings.cap) * 0.85**step
        pulls = pulls - rate * slope / np.where(length > 0, length, 1.0)
        pulls = limit_size(pulls, number[:, 0], settings.cap)
    raise AssertionError("unreachable")


def limit_size(pulls: Array, number: NDArray[np.intp], cap: float) -> Array:
    """Shrink changes whose χ²/N is above a cap to the cap."""
    chi2 = (pulls**2).sum(axis=1) / number
    factor = np.where(chi2 > cap, np.sqrt(cap / np.maximum(chi2, 1e-300)), 1.0)
    return np.asarray(pulls * factor[:, None], np.float64)


def shift_events(target: AttackTarget, pulls: Array) -> Array:
    """Move events by so many σ, shape ``(n, f)``."""
    moved = pulls * target.sigma
    return np.where(moved != 0, target.events + moved, target.events)


def draw_noise(target: AttackTarget, pulls: Array, rng: np.random.Generator) -> Array:
    """Draw Gaussian changes with the χ² of given ones, event by event."""
    noise = np.where(target.sigma > 0, rng.normal(size=pulls.shape), 0.0)
    length = np.linalg.norm(noise, axis=1, keepdims=True)
    wanted = np.linalg.norm(pulls, axis=1, keepdims=True)
    return np.asarray(noise * wanted / np.where(length > 0, length, 1.0), np.float64)


def measure_flips(
    target: AttackTarget, settings: MiniFool, size: float, rng: np.random.Generator
) -> Flips:
    """Attack events with all σ multiplied by `size`, and count who changes sides."""
    scaled = replace(target, sigma=size * target.sigma)
    pulls = attack_events(scaled, settings)
    noise = draw_noise(scaled, pulls, rng)
    before = target.scores() >= 0.5
    right = target.is_right(target.scores())
    flips = (scaled.scores(shift_events(scaled, pulls)) >= 0.5) != before
    control = (scaled.scores(shift_events(scaled, noise)) >= 0.5) != before
    number = np.maximum((scaled.sigma > 0).sum(axis=1), 1)
    return Flips(
        size,
        share(target.weights, flips, right),
        share(target.weights, flips, ~right),
        share(target.weights, control, right),
        share(target.weights, control, ~right),
        float(((pulls**2).sum(axis=1) / number).mean()),
    )


def find_smallest(target: AttackTarget, pulls: Array, steps: int = 30) -> Array:
    """Find the smallest part of each change that still flips its event, by bisection.

    Returns
    -------
    ndarray
        χ²/N there, shape ``(n,)``; infinite where the whole change flips nothing.
    """
    before = target.scores() >= 0.5
    low, high = np.zeros(len(pulls)), np.ones(len(pulls))
    whole = (target.scores(shift_events(target, pulls)) >= 0.5) != before
    for _ in range(steps):
        middle = 0.5 * (low + high)
        part = pulls * middle[:, None]
        flipped = (target.scores(shift_events(target, part)) >= 0.5) != before
        high, low = np.where(flipped, middle, high), np.where(flipped, low, middle)
    number = np.maximum((target.sigma > 0).sum(axis=1), 1)
    chi2 = ((pulls * high[:, None]) ** 2).sum(axis=1) / number
    return np.where(whole, chi2, np.inf)
