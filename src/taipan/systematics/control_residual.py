"""The control residual: how data still differ from the samples along an observable.

What is left between data and simulation in a control region is taken as an uncertainty of the
same size elsewhere: ±1σ is the nominal template times, or divided to first order by, a smooth
ratio of data to simulation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from taipan.config.base import Name
from taipan.errors import TaipanError
from taipan.systematics.base import Factors, Systematic, Target

logger = logging.getLogger(__name__)
Array = NDArray[np.float64]

_MIN_EVENTS = 10.0
"""Effective simulated events of a bin; neighbours are joined until they have them."""
_MAX_SIGMA = 0.5
"""Largest statistical error of the ratio in a bin; neighbours are joined until it is smaller."""
_COST = 4.0  # χ² that a further polynomial must gain: 2σ each
_MIN_PROBABILITY = 0.05  # of what the curve leaves
_LINE_COST = 9.0  # χ² that polynomials must gain together before a line is not enough: 3σ each
_LINE_PROBABILITY = 0.0027  # of what the line leaves: 3σ
_LARGEST = 0.9
"""Largest change; beyond, the template of the other direction would be negative."""


class ControlResidual(Systematic):
    """What is left between data and simulation in a control region, along each observable."""

    kind: Literal["control_residual"] = Field(
        description="What is left between data and simulation along the observable in a control "
        "region."
    )
    region: Name = Field(description="Control region in which data are compared with the samples.")

    fills_events: ClassVar[bool] = False
    acts_on_bins: ClassVar[bool] = True

    @property
    def measured_in(self) -> str:
        """The key `region`."""
        return self.region

    def check(self, path: str, target: Target) -> Iterator[str]:
        """Refuse a region that may share events with a signal region."""
        yield from target.check_control_region(f"{path}.region", self.region)

    def measure_factors(
        self,
        data: tuple[Array, Array],
        samples: tuple[Array, Array],
        others: tuple[Array, Array],
        edges: Array,
    ) -> Factors:
        """Measure the ratio of data to the samples; see :func:`measure_residual`."""
        found = measure_residual(data, samples, others, edges, self.region)
        logger.info(
            "region %s: χ²/ndf %.1f/%d, order %d",
            *(self.region, found.chi2, len(found.ratio) - 1, found.order),
        )
        return Factors(found.curve, asdict(found))


@dataclass(frozen=True)
class Residual:
    """A measured ratio and the smooth curve through it.

    Attributes
    ----------
    edges
        Edges of the bins in which it was measured, shape (m + 1,).
    ratio, sigma
        Data over samples, at the same total, and its statistical error; shape (m,).
    order
        Degree of the polynomial; 0 if the ratio is 1 within its errors: the curve is then the
        straight line of 1, whose slope is its own statistical error.
    chi2
        χ² of the ratio being 1, with m - 1 degrees of freedom.
    curve
        The factor at +1σ in each bin of the observable, shape (n,).
    """

    edges: tuple[float, ...]
    ratio: tuple[float, ...]
    sigma: tuple[float, ...]
    order: int
    chi2: float
    curve: tuple[float, ...]


def measure_residual(
    data: tuple[Array, Array],
    samples: tuple[Array, Array],
    others: tuple[Array, Array],
    edges: Array,
    region: str,
) -> Residual:
    """Measure data minus other processes over samples, and put a smooth curve through it.

    Errors are those expected if data followed the samples, so that they do not follow the
    fluctuations of data. With polynomials of the bin number that are orthogonal under these errors,
    each coefficient divided by its error is a normal number of width 1 where data and samples
    agree. The curve is a straight line unless the control region refuses every line at 3σ: if the
    χ² that it leaves has a probability below 0.27 %, or the polynomials of degrees 2 to K for some
    K gain 9 each. Only then K is the degree with the largest Σ_(k≤K) (c_k² - 4), or the smallest
    that leaves nothing significant (χ² probability of 5 %), whichever is larger: a distortion of a
    single bin needs all degrees. Each coefficient counts with |c_k| ≥ 1: the size of the
    uncertainty is the larger of the residual and its statistical error, so a control region with
    few events cannot make it small; and bin-by-bin noise is no part of it.

    Parameters
    ----------
    data, samples, others
        Σw and Σw² of data, of the systematic's samples and of all other processes; shape (n,).
    edges
        Bin edges, shape (n + 1,).
    region
        Name of the control region, for messages.

    Raises
    ------
    TaipanError
        If the samples, or the data without the other processes, have no positive total, or fewer
        than two bins have enough events.
    """
    excess, expected = data[0] - others[0], samples[0]
    for values, what in ((expected, "the samples"), (excess, "data minus other processes")):
        if not values.sum() > 0.0:
            raise TaipanError(f"Σw = {values.sum():.4g} of {what} in region '{region}'")
    scale = excess.sum() / expected.sum()
    expected, variance = scale * expected, scale**2 * samples[1]
    # Poisson fluctuations of as many data as are expected
    variance = variance + np.clip(expected + others[0], 0.0, None) + others[1]
    effective = np.divide(
        samples[0] ** 2, samples[1], out=np.zeros_like(expected), where=samples[1] > 0
    )
    starts = _join(expected, variance, effective, region)
    nominal = np.add.reduceat(expected, starts)
    ratio = np.add.reduceat(excess, starts) / nominal
    sigma = np.sqrt(np.add.reduceat(variance, starts)) / nominal
    ends = np.append(starts[1:], len(expected))
    positions = 0.5 * (np.asarray(starts) + ends - 1.0)
    change, order = _smooth(ratio - 1.0, sigma, positions)
    # the same total in the control region
    factor = 1.0 + change - float(np.sum(nominal * change) / np.sum(nominal))
    clipped = np.clip(factor, 1.0 - _LARGEST, 1.0 + _LARGEST)
    if not np.array_equal(clipped, factor):
        logger.warning("region %s: the residual exceeds %.0f %%", region, 100.0 * _LARGEST)
    curve = np.repeat(clipped, ends - np.asarray(starts))
    return Residual(
        edges=tuple(float(edges[i]) for i in [*starts, len(expected)]),
        ratio=tuple(ratio.tolist()),
        sigma=tuple(sigma.tolist()),
        order=order,
        chi2=float(np.sum(((ratio - 1.0) / sigma) ** 2)),
        curve=tuple(curve.tolist()),
    )


def _join(expected: Array, variance: Array, effective: Array, region: str) -> list[int]:
    """Give the first bin of each group of neighbours with enough events, from the upper edge."""
    starts: list[int] = []
    yields = squares = events = 0.0
    for i in reversed(range(len(expected))):
        yields, squares, events = (
            yields + expected[i],
            squares + variance[i],
            events + effective[i],
        )
        if yields > 0.0 and events >= _MIN_EVENTS and np.sqrt(squares) <= _MAX_SIGMA * yields:
            starts.append(i)
            yields = squares = events = 0.0
    if starts:
        starts[-1] = 0  # what is left at the lower edge
    if len(starts) < 2:
        raise TaipanError(
            f"region '{region}' has too few events: not two bins have {_MIN_EVENTS:g} effective "
            f"events and a ratio known to {100.0 * _MAX_SIGMA:.0f} %"
        )
    return starts[::-1]


def _smooth(change: Array, sigma: Array, positions: Array) -> tuple[Array, int]:
    """Give the smooth change of each bin, and the degree of the significant polynomial."""
    centred = 2.0 * (positions - positions[0]) / (positions[-1] - positions[0]) - 1.0
    powers = np.polynomial.legendre.legvander(centred, len(change) - 1)
    modes, _ = np.linalg.qr(powers / sigma[:, None])
    coefficients = modes.T @ (change / sigma)
    order = _choose_order(coefficients[1:])
    # the constant is no part of it: the total is matched afterwards
    kept = slice(1, max(order, 1) + 1)
    sizes = np.copysign(np.maximum(np.abs(coefficients[kept]), 1.0), coefficients[kept])
    return sigma * (modes[:, kept] @ sizes), order


def _choose_order(coefficients: Array) -> int:
    """Choose the degree from the coefficients of degree 1, 2, ..., in units of their errors."""
    if not _refuses_lines(coefficients[1:]):
        return int(coefficients[0] ** 2 > _COST)
    gains = np.append(0.0, np.cumsum(coefficients**2 - _COST))
    left = np.append(0.0, np.cumsum(coefficients[::-1] ** 2))[::-1]
    from scipy.special import chdtrc

    number = np.arange(len(coefficients), -1, -1)
    probability = np.where(number > 0, chdtrc(np.maximum(number, 1), left), 1.0)
    described = int(np.argmax(probability >= _MIN_PROBABILITY))
    return max(int(np.argmax(gains)), described)


def _refuses_lines(coefficients: Array) -> bool:
    """Tell whether the coefficients of degree 2, 3, ... are more than chance, at 3σ.

    At 2σ one curve in twenty of a perfect simulation would bend with its noise, where the events
    are fewest and the fit most sensitive.
    """
    if not len(coefficients):
        return False
    from scipy.special import chdtrc

    gains = np.cumsum(coefficients**2 - _LINE_COST)
    chance = chdtrc(len(coefficients), float(np.sum(coefficients**2)))
    return bool(gains.max() > 0.0 or chance < _LINE_PROBABILITY)
