"""The numbers of a datacard: its lines and the histograms they name, process by process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from taipan.exchange.card import BinStatistics, RateParameter

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Morph:
    """A shape systematic of a process.

    Attributes
    ----------
    up, down
        Templates at +1 and -1, scaled to the integral of the nominal one, shape ``(n,)``.
    scale
        What the card multiplies the parameter by.
    """

    up: Array
    down: Array
    scale: float


@dataclass(frozen=True)
class Process:
    """A process in a channel.

    Attributes
    ----------
    name
        Of the process.
    signal
        Whether the parameter of interest scales it.
    values, errors
        Nominal template and its statistical uncertainty, shape ``(n,)``.
    factors
        Names of free factors.
    norms
        Parameter → logarithms of the factors at -1 and +1.
    morphs
        Parameter → its shapes.
    """

    name: str
    signal: bool
    values: Array
    errors: Array
    factors: tuple[str, ...] = ()
    norms: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    morphs: Mapping[str, Morph] = field(default_factory=dict)


@dataclass(frozen=True)
class Channel:
    """A channel with its data.

    Attributes
    ----------
    name
        Of the channel.
    observed
        Counts, shape ``(n,)``.
    edges
        Edges of the bins, shape ``(n + 1,)``.
    processes
        What is expected.
    statistics
        How statistical uncertainties of the templates enter, if they do.
    """

    name: str
    observed: Array
    edges: Array
    processes: tuple[Process, ...]
    statistics: BinStatistics | None = None


@dataclass(frozen=True)
class CardModel:
    """All of a card.

    Attributes
    ----------
    channels
        Channels.
    rates
        Free factors by name.
    gammas
        Parameter of ``gmN`` → events of its control sample.
    constrained
        Free factor → mean and standard deviation of its Gaussian constraint.
    frozen
        Parameters held constant.
    groups
        Group → parameters.
    notes
        What has no counterpart.
    """

    channels: tuple[Channel, ...]
    rates: Mapping[str, RateParameter]
    gammas: Mapping[str, int]
    constrained: Mapping[str, tuple[float, float]]
    frozen: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def start(self, factor: str) -> float:
        """Nominal value of a free factor; 1 for those of ``gmN``."""
        return self.rates[factor].start if factor in self.rates else 1.0


def smooth_step(x: Array | float) -> Array:
    """Give Combine's odd step from -1 to 1 that is smooth within ±1: (3x⁵ − 10x³ + 15x)/8."""
    inside = np.clip(x, -1.0, 1.0)
    square = inside * inside
    return np.asarray(0.125 * inside * (square * (3.0 * square - 10.0) + 15.0))


def morph_shift(nominal: Array, morph: Morph, theta: float, *, in_propagator: bool) -> Array:
    """Change of a template by one parameter (vertical interpolation of Combine).

    Parameters
    ----------
    nominal, morph
        Template and its shapes.
    theta
        Parameter in standard deviations.
    in_propagator
        Whether the channel has ``autoMCStats``; otherwise the smooth part ends at the scale, if it
        is below 1.

    Returns
    -------
    Array
        What is added to the template.
    """
    x = morph.scale * theta
    end = 1.0 if in_propagator else min(1.0, morph.scale)
    step = float(smooth_step(x / end))
    odd, even = morph.up - morph.down, morph.up + morph.down - 2.0 * nominal
    return np.asarray(0.5 * x * (odd + even * step))


def asymmetric_log(theta: float, log_down: float, log_up: float) -> float:
    """Logarithm of the factor of an asymmetric log-normal, smooth for abs(theta) < 0.5."""
    average, half = 0.5 * (log_up - log_down), 0.5 * (log_up + log_down)
    return theta * (average + half * float(smooth_step(2.0 * theta)))
