"""The profile likelihood of the parameter of interest, and what is read from it.

Interval from 2ΔlnL (S. S. Wilks, Ann. Math. Stat. 9 (1938) 60); discovery significance from q₀ and
CLs upper limits from q̃_μ with the asymptotic distributions of Cowan, Cranmer, Gross and Vitells,
Eur. Phys. J. C 71 (2011) 1554 (arXiv:1007.1727), the equations quoted below.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.optimize
from scipy.stats import norm

from taipan.inference.errors import EmptyBinError, FitError, NegativeBinError, UnreachedError
from taipan.inference.fit import FitResult, fit
from taipan.inference.minima import DEEPER, find_minimum
from taipan.inference.model import CompiledModel

Array = npt.NDArray[np.float64]

# 2ΔlnL at the ends of the central 68.27 % interval of one parameter.
INTERVAL_RISE = 1.0
# Precision of roots in units of σ(μ): far below what is printed.
ROOT_PRECISION = 1e-5
# An estimate that is this part of its σ is zero but for rounding. At the edge of an empty bin −ln L
# is a straight line, and Z² = μ̂/σ: the part is worth 10⁻³ standard deviations.
ZERO = 1e-6
MAX_EXPANSIONS = 40
# Stands for an infinite √(2ΔlnL), and how far from the wanted level a root may be.
BEYOND = 1e6
# Standard deviations of a signal beyond which 1 - CLb is nothing, and parts of a signal strength at
# which they are looked for instead.
CERTAIN = 40.0
NEARER = (0.5, 0.2, 0.1, 0.05)
JUMP = 1e-2
# Values in a row, at signal strengths half as large again, that tell that a function levels off.
FLAT_STEPS = 6
BAND = (-2.0, -1.0, 0.0, 1.0, 2.0)


@dataclass(frozen=True)
class Limit:
    """CLs upper limit.

    Attributes
    ----------
    level
        Confidence level.
    observed
        Limit from the data that were fitted.
    band
        Expected limits if there is no signal, at -2, -1, 0, +1 and +2 standard deviations; NaN
        where the likelihood stays too flat for one.
    """

    level: float
    observed: float
    band: tuple[float, ...]


class Profile:
    """Profile likelihood for one data vector; every conditional fit starts from the nearest one.

    Parameters
    ----------
    model
        The compiled model.
    data
        Data vector.
    best
        Global fit to `data`; made if absent.
    """

    def __init__(self, model: CompiledModel, data: Array, best: FitResult | None = None) -> None:
        self.model = model
        self.data = data
        self.best = fit(model, data) if best is None else best
        self._known: dict[float, tuple[Array, float]] = {
            self.mu_hat: (self.best.values, self.best.nllr)
        }

    @property
    def mu_hat(self) -> float:
        """Estimate of the parameter of interest."""
        return float(self.best.values[self.model.poi])

    @property
    def sigma(self) -> float:
        """Hesse standard deviation of the parameter of interest."""
        return float(self.best.sigma[self.model.poi])

    def conditional(self, mu: float) -> tuple[Array, float]:
        """Fit all other parameters at `mu`, which may lie outside the bounds.

        Returns
        -------
        values
            Parameters.
        nllr
            −ln L relative to the saturated model.

        Raises
        ------
        EmptyBinError
            If −ln L is infinite: nothing is predicted for a bin with data.
        FitError
            If no minimum is found, or it is deeper than that of the global fit.
        """
        if mu not in self._known:
            poi = self.model.poi
            nearest = min(self._known, key=lambda known: abs(known - mu))
            variance = self.best.covariance[poi, poi]
            slope = self.best.covariance[:, poi] / variance if variance > 0 else 0.0
            start = self._known[nearest][0] + slope * (mu - nearest)
            minimum = find_minimum(self.model, self.data, start=start, fixed={poi: mu})
            if minimum.nll < self.best.nllr - DEEPER:
                low, high = self.model.parameters.lower[poi], self.model.parameters.upper[poi]
                reason = (
                    "which is a local minimum"
                    if low < self.mu_hat < high
                    else f"which its bounds [{low:g}, {high:g}] hold; widen them"
                )
                raise FitError(
                    f"-ln L is lower at {self.model.parameters.names[poi]} = {mu:.4g} than at the "
                    f"best fit ({self.mu_hat:.4g}), {reason}"
                )
            self._known[mu] = (minimum.values, minimum.nll)
        return self._known[mu]

    def rise(self, mu: float) -> float:
        """2ΔlnL between `mu` and the global minimum."""
        return max(0.0, 2.0 * (self.conditional(mu)[1] - self.best.nllr))

    def root_rise(self, mu: float, reference: float | None = None) -> float:
        """√(2ΔlnL) between `mu` and `reference` or the global minimum.

        :data:`BEYOND` where −ln L is infinite at `mu`.
        """
        nllr = self.best.nllr if reference is None else self.conditional(reference)[1]
        try:
            return float(np.sqrt(max(0.0, 2.0 * (self.conditional(mu)[1] - nllr))))
        except EmptyBinError:
            return BEYOND

    def refuse_jump(self, mu: float) -> None:
        """Refuse a result that lies where −ln L becomes infinite at once, before `mu`.

        That is right only where a bin without data comes to zero. Everywhere else −ln L rises
        without a jump, so a fit has been missed.
        """
        try:
            self.conditional(mu)
        except NegativeBinError:
            return
        except EmptyBinError as error:
            raise FitError(f"profile likelihood jumps before {mu:.4g}: {error}") from error


def interval(profile: Profile) -> tuple[float, float]:
    """Central 68.27 % interval: where 2ΔlnL = 1.

    An end that the bounds of the parameter of interest cut off is the bound; :func:`cut_off` tells.
    So is the point beyond which a bin without data would be predicted less than nothing.

    Raises
    ------
    FitError
        If 2ΔlnL does not reach 1.
    """
    poi = profile.model.poi
    lower = float(profile.model.parameters.lower[poi])
    upper = float(profile.model.parameters.upper[poi])
    return _end(profile, -1.0, lower), _end(profile, 1.0, upper)


def _end(profile: Profile, sign: float, bound: float) -> float:
    """Find one end of the interval."""

    def excess(mu: float) -> float:
        return float(profile.root_rise(mu) - np.sqrt(INTERVAL_RISE))

    mu_hat, sigma = profile.mu_hat, profile.sigma
    if sign * (bound - mu_hat) <= 0.0:
        return bound
    inner, outer = mu_hat, mu_hat
    for _ in range(MAX_EXPANSIONS):
        outer = outer + sign * max(sigma, 0.5 * abs(outer - mu_hat))
        outer = max(outer, bound) if sign < 0 else min(outer, bound)
        if excess(outer) > 0.0:
            return _bracketed(profile, excess, inner, outer, ROOT_PRECISION * sigma)
        if outer == bound:
            return bound
        inner = outer
    raise FitError(f"profile likelihood does not reach the wanted level up to {outer:.4g}")


def cut_off(model: CompiledModel, ends: Sequence[float]) -> tuple[bool, bool]:
    """Tell which ends of an interval are only the bound of the parameter of interest."""
    parameters, poi = model.parameters, model.poi
    low, high = ends
    return low <= float(parameters.lower[poi]), high >= float(parameters.upper[poi])


def significance(profile: Profile) -> tuple[float, float]:
    """Significance of an excess over no signal and its one-sided p-value.

    q₀ = 2ΔlnL(μ = 0) if μ̂ > 0, else 0 (eq. 12); Z = √q₀ (eq. 53). A μ̂ within 10⁻⁶ σ of zero is
    zero.

    Returns
    -------
    z
        Standard deviations.
    p_value
        1 − Φ(z).
    """
    excess = profile.mu_hat > ZERO * profile.sigma
    try:
        z = float(np.sqrt(profile.rise(0.0))) if excess else 0.0
    except EmptyBinError as error:
        raise FitError(f"significance: {error}, so it is infinite") from error
    return z, float(norm.sf(z))


def upper_limit(profile: Profile, level: float) -> Limit:
    """CLs upper limit on the signal strength with the test statistic q̃_μ.

    q̃_μ (eq. 16) compares with μ = 0 where μ̂ < 0. The distributions (eqs. 64 to 66) need the
    Asimov data without signal, made with the nuisance parameters fitted to the data at μ = 0.

    Parameters
    ----------
    profile
        Profile likelihood of the data.
    level
        Confidence level, for instance 0.95.

    Returns
    -------
    Limit
        Observed limit and expected band.

    Raises
    ------
    FitError
        If a fit fails, or no signal strength is excluded.
    """
    model, alpha = profile.model, 1.0 - level
    background = model.asimov(profile.conditional(0.0)[0])
    asimov = Profile(model, background)
    reference = max(profile.mu_hat, 0.0)

    def excess_of_cls(mu: float) -> float:
        root_q = profile.root_rise(mu, reference) if mu > reference else 0.0
        root_asimov = _root_of_asimov(asimov, mu)
        # eqs. 65, 66: q̃ is quadratic in its Gaussian only up to q_A
        if root_q <= root_asimov:
            shifted = root_q - root_asimov
        else:
            shifted = (root_q**2 - root_asimov**2) / (2.0 * root_asimov)
        # in logarithms: CLs falls like a Gaussian tail, its logarithm almost like a parabola
        return float(norm.logsf(shifted + root_asimov) - norm.logsf(shifted) - np.log(alpha))

    precision = ROOT_PRECISION * asimov.sigma
    # Expected CLs at n standard deviations: Φ(-(√q_A - n))/Φ(n) = α, solved for √q_A.
    roots = [float(norm.isf(alpha * norm.cdf(n)) + n) for n in BAND]
    band = [_expected(asimov, root, precision) for root in roots]
    if np.isnan(band[BAND.index(0.0)]):
        raise UnreachedError(
            "expected limit: without signal the likelihood stays too flat to exclude any signal "
            "strength, because the uncertainty of the signal grows with it"
        )
    start = max(reference, 1e-3 * asimov.sigma)
    # μ ≤ μ̂ has q̃ = 0 and CLs = 1, so the limit lies above
    observed = _solve(
        profile, excess_of_cls, start, start + float(norm.isf(alpha)) * asimov.sigma, precision
    )
    return Limit(level, observed, tuple(band))


def _root_of_asimov(asimov: Profile, mu: float) -> float:
    """√q_A at a signal strength; at a smaller one where that is enough.

    A fit of data that are tens of standard deviations away may not converge. Where √q_A is large
    CLs is CLs+b, whatever it is, and it grows with the signal strength.
    """
    try:
        return asimov.root_rise(mu, 0.0)
    except FitError:
        for part in NEARER:
            with contextlib.suppress(FitError):
                if (least := asimov.root_rise(part * mu, 0.0)) > CERTAIN:
                    return least
        raise


def _expected(asimov: Profile, root: float, precision: float) -> float:
    """Find the signal strength at which √(2ΔlnL) of the Asimov data is `root`; NaN if nowhere."""
    try:
        return _solve(
            asimov,
            lambda mu: asimov.root_rise(mu, 0.0) - root,
            0.0,
            root * asimov.sigma,
            precision,
        )
    except UnreachedError:
        return float("nan")


def _solve(
    profile: Profile,
    function: Callable[[float], float],
    start: float,
    guess: float,
    precision: float,
) -> float:
    """Find the root beyond `start` in the direction of `guess`, near `guess`.

    `function` has one sign at `start` and the other beyond the root.
    """
    values = [function(start)]
    inner, outer = start, guess
    for _ in range(MAX_EXPANSIONS):
        values.append(value := function(outer))
        if not np.isfinite(value):
            raise FitError(f"profile likelihood is not finite at {outer:.4g}")
        if np.sign(value) != np.sign(values[0]):
            return _bracketed(profile, function, inner, outer, precision)
        if _levels_off(values):
            break
        inner, outer = outer, outer + 0.5 * (outer - start)
    raise UnreachedError(f"profile likelihood does not reach the wanted level up to {outer:.4g}")


def _levels_off(values: list[float]) -> bool:
    """Tell whether a function of ever larger signal strengths comes to rest before it is zero.

    Where the uncertainty of the signal grows with it, the likelihood falls like c - a/μ. Then each
    step of half the way adds less than the one before, and all further ones at most twice the last.
    """
    steps = np.abs(np.diff(values[-FLAT_STEPS:]))
    return len(steps) == FLAT_STEPS - 1 and bool(
        (steps[1:] < 0.9 * steps[:-1]).all() and abs(values[-1]) > 10.0 * steps[-1]
    )


def _bracketed(
    profile: Profile,
    function: Callable[[float], float],
    inner: float,
    outer: float,
    precision: float,
) -> float:
    """Find the root between two points; refuse one at which the profile likelihood jumps."""
    root = float(scipy.optimize.brentq(function, inner, outer, xtol=precision, rtol=1e-12))
    inside = root - np.sign(outer - inner) * precision
    if profile.root_rise(root) == BEYOND and profile.root_rise(inside) < JUMP * BEYOND:
        if abs(function(inside)) > JUMP:
            profile.refuse_jump(root)
        return float(inside)
    return root
