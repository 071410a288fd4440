"""A pyhf model with the data as an argument, exact derivatives, and no global state.

``pyhf.infer.mle.fit`` differentiates numerically or compiles its objective for each call. Toys,
profile scans and impacts refit the same model with other data or other fixed parameters, so value,
gradient and Hessian are computed here in closed form, for many fits at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from taipan.inference.errors import FitError
from taipan.inference.gradient import Gradients
from taipan.inference.hessian import Hessians
from taipan.inference.histfactory import Yields
from taipan.inference.poisson import LARGEST_FLOOR, SLACK, poisson_terms, saturated_terms
from taipan.inference.starts import Shape
from taipan.suggestions import nearest

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# The same for the rate of an auxiliary measurement.
_LEAST_RATE = np.array(1e-12)


@dataclass(frozen=True)
class Parameters:
    """What is known of the parameters before the fit; one entry each, in the model's order.

    Attributes
    ----------
    names
        Names; bins of a vector parameter as ``staterror_signal[3]``.
    initial
        Starting (and nominal) values.
    lower, upper
        Bounds.
    fixed
        Parameters the model declares constant.
    constrained
        Parameters with an auxiliary measurement.
    sigma
        Standard deviation of the auxiliary measurement; zero without one.
    """

    names: tuple[str, ...]
    initial: Array
    lower: Array
    upper: Array
    fixed: Mask
    constrained: Mask
    sigma: Array

    def index(self, name: str) -> int:
        """Position of a parameter.

        Raises
        ------
        FitError
            If there is no such parameter.
        """
        if name not in self.names:
            meant = nearest(name, self.names)
            raise FitError(
                f"parameter {name!r} is not in the model{meant} ({', '.join(self.names)})"
            )
        return self.names.index(name)


@dataclass(frozen=True)
class CompiledModel:
    """Functions and facts of a statistical model.

    Data vectors hold the main counts (in the order of `regions`) followed by the auxiliary
    measurements; parameter vectors follow `parameters`. Data vectors of pseudo-experiments may go
    on with the standard deviations of the auxiliary measurements, where those of the model are not
    theirs (1 for Poisson ones, which have none).

    Attributes
    ----------
    parameters
        The parameters.
    poi
        Index of the parameter of interest.
    regions
        Region → slice of its bins in the main data.
    samples
        Names of the samples, in the order of :meth:`expected_by_sample`.
    observed
        The observed data vector.
    auxiliary
        Index of the parameter each auxiliary measurement constrains.
    auxiliary_factor
        Poisson auxiliary measurements: counts per unit of the parameter; Gaussian ones: zero.
    yields
        The expected yields as a function of the parameters.
    gradients, hessians
        Gradients of functions of them; the same with second derivatives, for large models.
    floor
        Yields below which −ln L is continued, shape ``(B,)``; see
        :func:`taipan.inference.poisson.poisson_terms`.
    largest_floor
        Largest floor of a bin without data.
    shape
        Whether −ln L may have several minima.
    notes
        What a reader of a result should know of the workspace.
    copies
        Position of the second copy of a parameter in squares → position of the parameter, which
        :mod:`taipan.inference.copies` reads in its place.
    """

    parameters: Parameters
    poi: int
    regions: Mapping[str, slice]
    samples: tuple[str, ...]
    observed: Array
    auxiliary: npt.NDArray[np.intp]
    auxiliary_factor: Array
    yields: Yields
    gradients: Gradients
    hessians: Hessians
    floor: Array
    shape: Shape
    notes: tuple[str, ...] = ()
    largest_floor: float = LARGEST_FLOOR
    copies: Mapping[int, int] = field(default_factory=dict)

    @property
    def n_bins(self) -> int:
        """Number of bins of the main data."""
        return len(self.observed) - len(self.auxiliary)

    def evaluate(self, values: Array, data: Array) -> tuple[float, Array, Array]:
        """Give −ln L relative to the saturated model, its gradient ``(n,)``, Hessian ``(n, n)``."""
        nllr, gradient, hessian = self.evaluate_many(values[None], data[None])
        return float(nllr[0]), gradient[0], hessian[0]

    def evaluate_many(self, values: Array, data: Array) -> tuple[Array, Array, Array]:
        """Give −ln L relative to the saturated model ``(T,)``, and its derivatives.

        The saturated model predicts every count and every auxiliary measurement exactly.
        Differences of −ln L, and twice the value itself, are then free of the large constants that
        :meth:`saturated_nll` gives.

        Parameters
        ----------
        values
            Parameters, shape ``(T, n)``.
        data
            Data vectors, shape ``(T, d)``.

        Returns
        -------
        nllr, gradient, hessian
            Shapes ``(T,)``, ``(T, n)`` and ``(T, n, n)``.
        """
        if self.hessians.is_faster:
            rows = [self._evaluate_one(*pair) for pair in zip(values, data, strict=True)]
            nllr, gradient, hessian = (np.stack(item) for item in zip(*rows, strict=True))
            return nllr, gradient, hessian
        return self._evaluate_together(values, data)

    def _evaluate_one(self, values: Array, data: Array) -> tuple[Array, Array, Array]:
        found = self.hessians.evaluate(values)
        if found is None:
            nllr, gradients, hessians = self._evaluate_together(values[None], data[None])
            return nllr[0], gradients[0], hessians[0]
        terms, slope, curvature = poisson_terms(
            data[: self.n_bins], found.yields, self.floor, self.largest_floor
        )
        gradient, hessian = self.hessians.combine(found, slope, curvature)
        penalty, slopes, curvatures = self.auxiliary_terms(values[None], data[None])
        gradient[self.auxiliary] += slopes[0]
        hessian[self.auxiliary, self.auxiliary] += curvatures[0]
        return np.asarray(terms.sum() + penalty[0]), gradient, hessian

    def _evaluate_together(self, values: Array, data: Array) -> tuple[Array, Array, Array]:
        found = self.yields.derivatives(values)
        terms, slope, curvature = poisson_terms(
            data[:, : self.n_bins], found.yields, self.floor, self.largest_floor
        )
        gradient = (found.slopes @ slope[:, :, None])[:, :, 0]
        hessian = (found.slopes * curvature[:, None]) @ found.slopes.swapaxes(1, 2)
        hessian += self.yields.weighted_curvature(found, values, slope)
        penalty, slope, curvature = self.auxiliary_terms(values, data)
        gradient[:, self.auxiliary] += slope
        hessian[:, self.auxiliary, self.auxiliary] += curvature
        return terms.sum(axis=1) + penalty, gradient, hessian

    def nllr_many(self, values: Array, data: Array) -> Array:
        """Give what :meth:`evaluate_many` gives first, without derivatives."""
        terms, _, _ = poisson_terms(
            data[:, : self.n_bins], self.rates(values), self.floor, self.largest_floor
        )
        return np.asarray(terms.sum(axis=1) + self.auxiliary_terms(values, data)[0])

    def rates(self, values: Array) -> Array:
        """Give the expected total yields, shape ``(T, B)``, for parameters ``(T, n)``."""
        rates, _, usable = self.gradients.evaluate(values)
        if not usable.all():
            rates[~usable] = self.yields.total(values[~usable])
        return rates

    def saturated_nll(self, data: Array) -> Array:
        """Give −ln L of the saturated model for data ``(T, d)``: shape ``(T,)``.

        Added to the value of :meth:`evaluate_many` it gives −ln L with all constants, as pyhf has
        it (``-logpdf``).
        """
        measured, sigma = self.split_auxiliary(data)
        counted = self.auxiliary_factor > 0
        measured = np.where(counted, measured, 0.0)
        constraints = np.where(
            counted, saturated_terms(measured), np.log(np.sqrt(2.0 * np.pi) * sigma)
        )
        counts = saturated_terms(data[:, : self.n_bins])
        return np.asarray(counts.sum(axis=1) + constraints.sum(axis=1))

    def split_auxiliary(self, data: Array) -> tuple[Array, Array]:
        """Give the auxiliary measurements of data, last axis ``a``, and their errors.

        The errors are those in the data, if any are, and else those of the model, shape ``(a,)``.
        """
        end = self.n_bins + len(self.auxiliary)
        own = data[..., end:]
        sigma = own if own.shape[-1] else self.parameters.sigma[self.auxiliary]
        return data[..., self.n_bins : end], sigma

    def auxiliary_terms(self, values: Array, data: Array) -> tuple[Array, Array, Array]:
        """Give what the auxiliary measurements add to −ln L.

        Parameters
        ----------
        values, data
            As of :meth:`evaluate_many`.

        Returns
        -------
        sum, slope, curvature
            Shapes ``(T,)``, and ``(T, a)`` for each measurement.
        """
        centre, factor = values[:, self.auxiliary], self.auxiliary_factor
        measured, sigma = self.split_auxiliary(data)
        counted = factor > 0
        pull = np.where(counted, 0.0, (measured - centre) / sigma)
        rate = np.where(counted, centre * factor, 1.0)
        count = np.where(counted, measured, 1.0)
        poisson, by_rate, bend = poisson_terms(count, rate, _LEAST_RATE)
        slope = np.where(counted, by_rate * factor, -pull / sigma)
        curvature = np.where(counted, bend * factor**2, 1.0 / sigma**2)
        return np.where(counted, poisson, 0.5 * pull**2).sum(axis=1), slope, curvature

    def expected_by_sample(self, values: Array) -> Array:
        """Give the expected yields, shape ``(n_samples, n_bins)``."""
        return np.asarray(self.yields.by_sample(values[None])[0])

    def expected(self, values: Array) -> Array:
        """Give the expected total yields, shape ``(n_bins,)``."""
        return np.asarray(self.yields.total(values[None])[0])

    def jacobian(self, values: Array) -> Array:
        """Give d(total yield)/d(parameter), shape ``(n_bins, n_parameters)``."""
        return np.asarray(self.yields.derivatives(values[None]).slopes[0].T)

    def nominal(self, mu: float) -> Array:
        """Nominal parameters with the parameter of interest set to `mu`."""
        values = self.parameters.initial.copy()
        values[self.poi] = mu
        return values

    def asimov(self, values: Array) -> Array:
        """Give the data vector that equals its expectation under the parameters `values`.

        A bin that only rounding keeps from zero has no events.
        """
        expected = self.expected(values)
        counts = np.where(np.abs(expected) < SLACK, 0.0, expected)
        return np.concatenate([counts, self.expected_auxiliary(values)])

    def expected_auxiliary(self, values: Array) -> Array:
        """Give the expected auxiliary measurements."""
        factors = np.where(self.auxiliary_factor > 0, self.auxiliary_factor, 1.0)
        return np.asarray(values[self.auxiliary] * factors)


def name_bin(regions: Mapping[str, slice], position: int) -> str:
    """Name the region and the bin, counted from zero in it, of a position in the main data."""
    for region, bins in regions.items():
        if bins.start <= position < bins.stop:
            return f"region {region}, bin {position - bins.start}"
    raise FitError(f"bin {position} is not in the model")
