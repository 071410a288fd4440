"""A pyhf model compiled once, with the data as an argument.

``pyhf.infer.mle.fit`` traces and compiles its objective for each call. Toys, profile scans and
impacts refit the same model with other data or other fixed parameters, so value, gradient and
Hessian are compiled ahead of time here, in 64 bit, and reused.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import pyhf
from jax.scipy.special import gammaln

from taipan.inference.errors import FitError
from taipan.inference.histfactory import expected_yields, read_tensors

jax.config.update("jax_enable_x64", True)  # differences of -ln L of 1e-9 matter

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Expected yields below this fraction of the nominal one are continued as `_log_rates` says. Far
# below any yield at a minimum, so estimates are those of the plain model.
FLOOR_FRACTION = 1e-6


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
            raise FitError(f"parameter {name!r} is not in the model ({', '.join(self.names)})")
        return self.names.index(name)


@dataclass(frozen=True)
class CompiledModel:
    """Functions and facts of a statistical model.

    Data vectors hold the main counts (in the order of `regions`) followed by the auxiliary
    measurements; parameter vectors follow `parameters`.

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
    """

    parameters: Parameters
    poi: int
    regions: Mapping[str, slice]
    samples: tuple[str, ...]
    observed: Array
    auxiliary: npt.NDArray[np.intp]
    auxiliary_factor: Array
    _evaluate: Callable[..., Any]
    _expected: Callable[..., Any]
    _jacobian: Callable[..., Any]

    @property
    def n_bins(self) -> int:
        """Number of bins of the main data."""
        return len(self.observed) - len(self.auxiliary)

    def evaluate(self, values: Array, data: Array) -> tuple[float, Array, Array]:
        """Give −ln L, its gradient ``(n,)`` and its Hessian ``(n, n)``."""
        nll, gradient, hessian = self._evaluate(values, data)
        return float(nll), np.asarray(gradient), np.asarray(hessian)

    def expected_by_sample(self, values: Array) -> Array:
        """Give the expected yields, shape ``(n_samples, n_bins)``."""
        return np.asarray(self._expected(values))

    def expected(self, values: Array) -> Array:
        """Give the expected total yields, shape ``(n_bins,)``."""
        return np.asarray(self.expected_by_sample(values).sum(axis=0))

    def jacobian(self, values: Array) -> Array:
        """Give d(total yield)/d(parameter), shape ``(n_bins, n_parameters)``."""
        return np.asarray(self._jacobian(values))

    def nominal(self, mu: float) -> Array:
        """Nominal parameters with the parameter of interest set to `mu`."""
        values = self.parameters.initial.copy()
        values[self.poi] = mu
        return values

    def asimov(self, values: Array) -> Array:
        """Give the data vector that equals its expectation under the parameters `values`."""
        return np.concatenate([self.expected(values), self.expected_auxiliary(values)])

    def expected_auxiliary(self, values: Array) -> Array:
        """Give the expected auxiliary measurements."""
        factors = np.where(self.auxiliary_factor > 0, self.auxiliary_factor, 1.0)
        return np.asarray(values[self.auxiliary] * factors)


def compile_model(workspace: Mapping[str, Any]) -> CompiledModel:
    """Compile the model of a pyhf workspace.

    Parameters
    ----------
    workspace
        pyhf workspace (schema 1.0.0); the first measurement is used.

    Returns
    -------
    CompiledModel
        The compiled model with the workspace's observations.

    Raises
    ------
    FitError
        If pyhf refuses the workspace, a modifier is not supported, or the nominal expectation is
        not positive in some bin.
    """
    start = time.perf_counter()
    with _numpy_backend():
        model, observed = _read_workspace(workspace)
        # the matrices are far too small to be worth moving to an accelerator
        with jax.default_device(jax.devices("cpu")[0]):
            compiled = _compile(
                model, expected_yields(read_tensors(workspace, model.config)), observed
            )
        _check_against_pyhf(compiled, model)
    logger.info(
        "model: %d parameters, %d bins, compiled in %.1f s",
        len(compiled.parameters.names), compiled.n_bins, time.perf_counter() - start,
    )  # fmt: skip
    return compiled


@contextmanager
def _numpy_backend() -> Iterator[None]:
    tensorlib, optimizer = pyhf.get_backend()
    pyhf.set_backend("numpy")
    try:
        yield
    finally:
        pyhf.set_backend(tensorlib, optimizer)


def _read_workspace(workspace: Mapping[str, Any]) -> tuple[Any, Array]:
    try:
        # pyhf 0.7.6 validates with a jsonschema class that is deprecated
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
            pyhf_workspace = pyhf.Workspace(dict(workspace))
            model = pyhf_workspace.model()
    except (
        pyhf.exceptions.InvalidSpecification,
        pyhf.exceptions.InvalidModel,
        pyhf.exceptions.InvalidModifier,
        pyhf.exceptions.InvalidMeasurement,
    ) as error:
        raise FitError(f"pyhf refuses the workspace: {error}") from error
    if model.config.poi_index is None:
        raise FitError("the workspace has no parameter of interest")
    return model, np.asarray(pyhf_workspace.data(model), dtype=np.float64)


def _check_against_pyhf(compiled: CompiledModel, model: Any) -> None:
    """Refuse a model of which pyhf computes other yields, near and far from nominal."""
    parameters = compiled.parameters
    unit = np.where(parameters.sigma > 0, parameters.sigma, 0.1)
    for shift in (0.0, 0.7, -1.6):
        values = parameters.initial + shift * unit * ~parameters.fixed
        ours, theirs = compiled.expected(values), np.asarray(model.expected_data(values))
        scale = np.abs(theirs[: compiled.n_bins]).max()
        if not np.allclose(ours, theirs[: compiled.n_bins], rtol=1e-9, atol=1e-12 * scale):
            raise FitError("expected yields differ from pyhf's: the workspace is not supported")


def _compile(model: Any, by_sample: Callable[[Any], Any], observed: Array) -> CompiledModel:
    config = model.config
    n_bins = config.nmaindata
    initial = np.asarray(config.suggested_init(), dtype=np.float64)
    auxiliary, factor, sigma = _auxiliary(config)
    counted = factor > 0
    log_width = float(np.log(np.sqrt(2.0 * np.pi) * sigma[auxiliary[~counted]]).sum())

    expected = jax.jit(by_sample).lower(initial).compile()
    nominal = np.asarray(expected(initial)).sum(axis=0)
    if not (np.isfinite(nominal).all() and (nominal > 0).all()):
        position = int(np.argmin(np.where(np.isfinite(nominal), nominal, -np.inf)))
        raise FitError(f"nominal expectation of bin {position} is {nominal[position]:.4g}")
    floor = FLOOR_FRACTION * nominal

    def total(values: Any) -> Any:
        return by_sample(values).sum(axis=0)

    def nll(values: Any, data: Any) -> Any:
        counts, measured = data[:n_bins], data[n_bins:]
        centre = values[auxiliary]
        pulls = (measured[~counted] - centre[~counted]) / sigma[auxiliary[~counted]]
        return (
            _poisson(counts, _log_rates(total(values), floor))
            + _poisson(measured[counted], jnp.log(centre[counted] * factor[counted]))
            + 0.5 * (pulls**2).sum()
            + log_width
        )

    def evaluate(values: Any, data: Any) -> Any:
        value, gradient = jax.value_and_grad(nll)(values, data)
        return value, gradient, jax.hessian(nll)(values, data)

    constrained = np.zeros(config.npars, dtype=np.bool_)
    constrained[auxiliary] = True
    bounds = np.asarray(config.suggested_bounds(), dtype=np.float64)
    return CompiledModel(
        parameters=Parameters(
            names=tuple(config.par_names),
            initial=initial,
            lower=bounds[:, 0],
            upper=bounds[:, 1],
            fixed=np.asarray(config.suggested_fixed(), dtype=np.bool_),
            constrained=constrained,
            sigma=sigma,
        ),
        poi=int(config.poi_index),
        regions=dict(config.channel_slices),
        samples=tuple(config.samples),
        observed=observed,
        auxiliary=auxiliary,
        auxiliary_factor=factor,
        _evaluate=jax.jit(evaluate).lower(initial, observed).compile(),
        _expected=expected,
        _jacobian=jax.jit(jax.jacfwd(total)).lower(initial).compile(),
    )


def _poisson(counts: Any, log_rates: Any) -> Any:
    return (jnp.exp(log_rates) - counts * log_rates + gammaln(counts + 1.0)).sum()


def _log_rates(rates: Any, floor: Any) -> Any:
    """Give the logarithm of expected yields, continued below `floor` by its tangent.

    A negative signal strength can make the sum of templates negative, where no Poisson density
    exists. With the tangent −ln L stays finite, continuous and steep, so a minimiser that strays
    there is led back; a bin without data predicts nothing there.
    """
    return jnp.where(
        rates > floor, jnp.log(jnp.maximum(rates, floor)), jnp.log(floor) + rates / floor - 1.0
    )


def _auxiliary(config: Any) -> tuple[npt.NDArray[np.intp], Array, Array]:
    """Give per auxiliary measurement its parameter and Poisson factor, per parameter its σ."""
    indices: list[int] = []
    factors: list[float] = []
    sigma = np.zeros(config.npars)
    for name in config.auxdata_order:
        parameter = config.param_set(name)
        position = config.par_slice(name)
        indices += range(position.start, position.stop)
        is_poisson = parameter.pdf_type == "poisson"
        factors += list(parameter.factors) if is_poisson else [0.0] * parameter.n_parameters
        sigma[position] = parameter.width()
    return np.asarray(indices, dtype=np.intp), np.asarray(factors, dtype=np.float64), sigma
