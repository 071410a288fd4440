"""The true values of one pseudo-experiment: signal strength and systematic shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from taipan.config.model import Config
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
        Signal strength, or the first of several parameters of interest.
    pulls
        Systematic → true value in standard deviations.
    factors
        Parameter of an estimate → true value of its factor in standard deviations from the
        measured one; 0 for those that are not listed.
    others
        Further parameter of interest → true value, as a factor on the predicted yields.
    scales
        Sample → what all parameters of interest multiply it by; those that are not listed have the
        signal strength if they are signals.
    """

    mu: float
    pulls: Mapping[str, float]
    factors: Mapping[str, float]
    others: Mapping[str, float] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)


def draw_truth(
    systematics: Mapping[str, Systematic],
    mu_range: tuple[float, float],
    rng: np.random.Generator,
    factors: Sequence[str] = (),
    others: Mapping[str, tuple[float, float]] | None = None,
) -> Truth:
    """Draw the signal strength uniformly and every systematic from its unit Gaussian.

    `factors` are the parameters of an estimate, drawn in the same way; `others` the ranges of
    further parameters of interest.

    Raises
    ------
    TaipanError
        If a systematic can be applied neither to single events nor to yields of bins.
    """
    for name, item in systematics.items():
        if problem := describe_obstacle(name, item):
            raise TaipanError(problem)
    mu = float(rng.uniform(*mu_range))
    pulls = {name: float(rng.normal()) for name in systematics}
    drawn = {name: float(rng.normal()) for name in factors}
    further = {name: float(rng.uniform(*span)) for name, span in (others or {}).items()}
    return Truth(mu, pulls, drawn, further)


def strength_ranges(config: Config) -> dict[str, tuple[float, float]]:
    """Give the ranges that parameters of interest are drawn from, as factors on yields."""
    return {
        name: config.coverage.range_of(name, is_cross_section=item.cross_section is not None)
        for name, item in config.fit.interests.items()
    }


def describe_obstacle(name: str, item: Systematic) -> str | None:
    """Say why a true value of a systematic cannot be applied; None if it can."""
    if not _can_be_drawn(item):
        kinds = (kind for kind, found in KINDS.items() if _can_be_drawn(found))
        return (
            f"coverage: systematics.{name} is of kind {item.kind!r}; events can be varied by "
            f"{', '.join(kinds)}"
        )
    if item.moves_events and item.regions is not None:
        return (
            f"coverage: systematics.{name}.regions: a shift of some regions only "
            "cannot be applied to events"
        )
    return None


def _can_be_drawn(item: Systematic | type[Systematic]) -> bool:
    """Tell whether a true value acts on events, or on the yields of bins by the templates."""
    return item.acts_on_events or item.acts_on_bins


def scale_samples(truth: Truth, config: Config) -> Truth:
    """Work out what the parameters of interest of a truth multiply each sample by.

    `config` has the sections `samples` and `fit`. A plain signal strength needs no list.
    """
    if not config.fit.parameters_of_interest:
        return truth
    values = {config.fit.poi: truth.mu, **truth.others}
    scales = {}
    for name, sample in config.samples.items():
        scale = config.fit.find_scale(name, is_signal=sample.role == "signal")
        if scale is not None:
            scales[name] = scale.evaluate(values)
    return replace(truth, scales=scales)


def leave_out_predictions(config: Config) -> Config:
    """Let uncertainties of a predicted cross section not act where it is measured."""
    unmeasured = config.fit.unmeasured
    if not unmeasured:
        return config
    systematics = {}
    for name, item in config.systematics.items():
        samples = [sample for sample in item.samples if sample not in unmeasured.get(name, ())]
        if samples:
            systematics[name] = item.model_copy(update={"samples": samples})
    return config.model_copy(update={"systematics": systematics})


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
