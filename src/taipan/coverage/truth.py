"""The true values of one pseudo-experiment: signal strength and systematic shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from taipan.errors import TaipanError
from taipan.estimates.registry import MeasuredEstimate
from taipan.systematics.base import Systematic
from taipan.systematics.registry import KINDS


@dataclass(frozen=True)
class Truth:
    """What nature does in one pseudo-experiment.

    Attributes
    ----------
    mu
        Signal strength.
    pulls
        Systematic → true value in standard deviations.
    factors
        Parameter of an estimate → true value of its factor in standard deviations from the
        measured one; 0 for those that are not listed.
    """

    mu: float
    pulls: Mapping[str, float]
    factors: Mapping[str, float]


def draw_truth(
    systematics: Mapping[str, Systematic],
    mu_range: tuple[float, float],
    rng: np.random.Generator,
    factors: Sequence[str] = (),
) -> Truth:
    """Draw the signal strength uniformly and every systematic from its unit Gaussian.

    `factors` are the parameters of an estimate, drawn in the same way.

    Raises
    ------
    TaipanError
        If a systematic cannot be applied to single events.
    """
    for name, item in systematics.items():
        if not item.acts_on_events:
            kinds = (kind for kind, found in KINDS.items() if found.acts_on_events)
            raise TaipanError(
                f"coverage: systematics.{name} is of kind {item.kind!r}; events can be varied by "
                f"{', '.join(kinds)}"
            )
        if item.moves_events and item.regions is not None:
            raise TaipanError(
                f"coverage: systematics.{name}.regions: a shift of some regions only "
                "cannot be applied to events"
            )
    mu = float(rng.uniform(*mu_range))
    pulls = {name: float(rng.normal()) for name in systematics}
    return Truth(mu, pulls, {name: float(rng.normal()) for name in factors})


def extreme_truths(systematics: Mapping[str, Systematic], size: float = 3.0) -> list[Truth]:
    """Nominal, each kinematic shift alone at ±`size` standard deviations, and all together."""
    zero = dict.fromkeys(systematics, 0.0)
    shifts = [name for name, item in systematics.items() if item.moves_events]
    pulls = [{**zero, name: sign * size} for name in shifts for sign in (1.0, -1.0)]
    pulls += [{**zero, **dict.fromkeys(shifts, sign * size)} for sign in (1.0, -1.0)]
    return [Truth(1.0, values, {}) for values in (zero, *pulls)]


def draw_factors(
    estimate: MeasuredEstimate, region: str, truth: Truth
) -> list[tuple[float, float]]:
    """Give the true factors of what a region's estimate is made of: of data, of simulation."""
    found = []
    for part in estimate.parts(region):
        factors = np.full(2, part.factor)
        for name, change in part.changes.items():
            pull = truth.factors.get(name, 0.0)
            for i, (up, down) in enumerate((change.data, change.simulated)):
                factors[i] *= up**pull if pull >= 0.0 else down ** (-pull)
        found.append((float(factors[0]), float(factors[1])))
    return found
