"""The true values of one pseudo-experiment: signal strength and systematic shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from taipan.config.sections.systematics import Systematic
from taipan.errors import TaipanError

EVENT_KINDS = ("rate", "weight", "kinematic")
"""Kinds of systematics that can be applied to single events with any size."""


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
        if item.kind not in EVENT_KINDS:
            raise TaipanError(
                f"coverage: systematics.{name} is of kind {item.kind!r}; events can be varied by "
                f"{', '.join(EVENT_KINDS)}"
            )
        if item.kind == "kinematic" and item.regions is not None:
            raise TaipanError(
                f"coverage: systematics.{name}.regions: a kinematic shift of some regions only "
                "cannot be applied to events"
            )
    mu = float(rng.uniform(*mu_range))
    pulls = {name: float(rng.normal()) for name in systematics}
    return Truth(mu, pulls, {name: float(rng.normal()) for name in factors})


def rate_factor(systematic: Systematic, pull: float) -> float:
    """Factor of a yield at `pull` standard deviations of a rate, κ^pull as the fit has it far out.

    Inside ±1 the fit interpolates with a polynomial that differs from the exponential for
    asymmetric rates by less than 10⁻³ of the yield.
    """
    size = systematic.size or 0.0
    up = 1.0 + (size if systematic.up is None else systematic.up)
    if systematic.up is None:
        down = 1.0 - size
    else:
        down = 1.0 + (-systematic.up if systematic.down is None else systematic.down)
    return float(up**pull if pull >= 0.0 else down ** (-pull))
