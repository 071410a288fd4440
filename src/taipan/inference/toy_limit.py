"""CLs limits whose distributions come from toys instead of the asymptotic formulae."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from taipan.inference.batch import Fits, fit_many
from taipan.inference.errors import FitError
from taipan.inference.minima import DEEPER
from taipan.inference.profile import BAND, Limit, Profile, upper_limit
from taipan.inference.toys import SAME_STATISTIC, draw_data

Array = npt.NDArray[np.float64]

# Signal strengths tested, as multiples of the asymptotic observed or expected limits.
SPAN = (0.6, 1.6)
TESTED_POINTS = 9
# Toys with signal that must lie beyond the statistic at the limit, for a limit to be given.
FEWEST = 5.0


@dataclass(frozen=True)
class ToyLimit:
    """CLs limit from toys.

    Attributes
    ----------
    limit
        Observed limit and expected band; NaN where the toys are too few to tell.
    toys
        Toys of each hypothesis at each signal strength.
    tested
        Signal strengths.
    cls
        Observed CLs at these.
    cls_error
        Its binomial standard deviation.
    """

    limit: Limit
    toys: int
    tested: Array
    cls: Array
    cls_error: Array


def toy_limit(profile: Profile, level: float, toys: int, rng: np.random.Generator) -> ToyLimit:
    """CLs upper limit with q̃_μ (arXiv:1007.1727, eq. 16) distributed as in toys.

    Counts and auxiliary measurements fluctuate around the nuisance parameters fitted to the data
    at the tested signal strength, and at zero.

    Parameters
    ----------
    profile
        Profile likelihood of the data.
    level
        Confidence level.
    toys
        Toys of each hypothesis at each of nine signal strengths.
    rng
        Source of random numbers.

    Raises
    ------
    FitError
        If fits fail, or CLs does not cross 1 - level within the strengths tested.
    """
    guess = upper_limit(profile, level)
    limits = [guess.observed, *guess.band]
    low, high = float(np.nanmin(limits)), float(np.nanmax(limits))
    tested = np.linspace(SPAN[0] * low, SPAN[1] * high, TESTED_POINTS)
    model = profile.model
    background = profile.conditional(0.0)[0]
    null = _Toys(profile, np.stack([draw_data(model, background, rng) for _ in range(toys)]))
    data = _Toys(profile, profile.data[None])
    rows = []
    for mu in tested:
        point = profile.conditional(float(mu))[0]
        signal = _Toys(profile, np.stack([draw_data(model, point, rng) for _ in range(toys)]))
        found = (item.statistic(float(mu), point) for item in (data, signal, null))
        observed, of_signal, of_null = found
        rows.append((float(observed[0]), of_signal, of_null))
    cls = np.array([_cls(q, s, b) for q, s, b in rows])
    band = []
    for n in BAND:
        if (1.0 - level) * norm.cdf(n) * toys < FEWEST:
            band.append(float("nan"))
            continue
        # a background fluctuation of n upwards has a smaller statistic at a given strength
        curve = [_cls(float(np.quantile(b, norm.cdf(-n))), s, b) for _, s, b in rows]
        band.append(_crossing(tested, np.array(curve), 1.0 - level))
    p_signal = np.array([_as_far(s, q).mean() for q, s, _ in rows])
    p_null = np.array([_as_far(b, q).mean() for q, _, b in rows])
    error = np.sqrt(p_signal * (1.0 - p_signal) / toys) / np.maximum(p_null, 1.0 / toys)
    limit = Limit(level, _crossing(tested, cls, 1.0 - level), tuple(band))
    return ToyLimit(limit, toys, tested, cls, error)


class _Toys:
    """Data vectors with what of q̃_μ does not depend on the tested signal strength."""

    def __init__(self, profile: Profile, data: Array) -> None:
        self.model, self.data = profile.model, data
        poi = self.model.poi
        start = profile.conditional(0.0)[0]
        self._held = np.zeros(len(start), dtype=bool)
        self._held[poi] = True
        null = _all(fit_many(self.model, data, start, fixed=self._held))
        best = _all(fit_many(self.model, data, start))
        self._best = best.nllr
        self._check(null)
        self._mu_hat = best.values[:, poi]
        self._reference = np.where(self._mu_hat < 0.0, null.nllr, best.nllr)

    def statistic(self, mu: float, start: Array) -> Array:
        """q̃_μ of each data vector."""
        at = start.copy()
        at[self.model.poi] = mu
        conditional = _all(fit_many(self.model, self.data, at, fixed=self._held))
        self._check(conditional)
        rise = np.maximum(2.0 * (conditional.nllr - self._reference), 0.0)
        return np.where(self._mu_hat > mu, 0.0, rise)

    def _check(self, conditional: Fits) -> None:
        local = conditional.nllr < self._best - DEEPER
        if local.any():
            raise FitError(f"toys: {local.sum()} of {len(local)} fits found a local minimum only")


def _all(fits: Fits) -> Fits:
    if fits.failures:
        reason = next(iter(fits.failures.values()))
        raise FitError(f"toys: {len(fits.failures)} of {len(fits.nllr)} fits failed: {reason}")
    return fits


def _cls(observed: float, signal: Array, null: Array) -> float:
    """Ratio of the fractions of toys that are at least as far from the hypothesis."""
    below = float(_as_far(null, observed).mean())
    return float(_as_far(signal, observed).mean()) / below if below > 0.0 else 0.0


def _as_far(statistic: Array, observed: float) -> npt.NDArray[np.bool_]:
    """Compare up to rounding: with few counts, many toys have the statistic of the data."""
    return statistic >= observed - SAME_STATISTIC * max(1.0, observed)


def _crossing(tested: Array, cls: Array, alpha: float) -> float:
    """First signal strength at which CLs falls below `alpha`, by a line in ln CLs."""
    beyond = np.flatnonzero(cls < alpha)
    if not len(beyond) or beyond[0] == 0:
        raise FitError(
            f"CLs of toys runs from {cls[0]:.3g} to {cls[-1]:.3g} for signal strengths "
            f"{tested[0]:.3g} to {tested[-1]:.3g} and does not cross {alpha:.3g}; take more toys"
        )
    j = int(beyond[0])
    upper, lower = np.log(cls[j - 1]), np.log(max(cls[j], 1e-6))
    part = (upper - np.log(alpha)) / (upper - lower)
    return float(tested[j - 1] + part * (tested[j] - tested[j - 1]))
