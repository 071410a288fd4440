"""Bin edges with the smallest expected uncertainty of the signal strength.

The model is linear around the nominal parameters: the derivative of a bin's yield by each parameter
is the sum of those of the fine bins in it, so that σ(μ) of any binning follows from sums. It holds
all systematic uncertainties and, as additional variance of a bin, the statistics of the simulation.
The gradient method follows the idea of soft bin memberships of arXiv:2601.07756.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from taipan.config.sections.templates import Binning
from taipan.likelihood.asimov import linear_sigma
from taipan.likelihood.dynamic_edges import FineBins, find_best_starts
from taipan.likelihood.errors import LikelihoodError

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]

SOFTNESS = (0.02, 0.008, 0.003, 0.001)
"""Widths of the soft edges, as fractions of the range, one after the other."""
PENALTY = 10.0
"""Weight of a violated constraint in units of σ(μ)."""


@dataclass(frozen=True)
class LinearModel:
    """Yields of fine bins and their derivatives.

    Attributes
    ----------
    jacobian
        d(yield)/d(parameter), shape ``(n_bins, n_parameters)``; the first parameter is the
        parameter of interest.
    expected, background, variance
        Total and background yield, and Σw² of all samples, shape ``(n_bins,)``.
    fixed
        The same three and the Jacobian of bins that are not optimised (control regions).
    prior
        Inverse variance of each parameter's constraint, 0 if it is free.
    """

    jacobian: Array
    expected: Array
    background: Array
    variance: Array
    fixed_jacobian: Array
    fixed_variance: Array
    prior: Array

    def sigma(self, starts: Sequence[int]) -> float:
        """Give the expected σ of the parameter of interest for bins that begin at `starts`."""
        merged = np.add.reduceat(self.jacobian, starts, axis=0)
        noise = np.add.reduceat(self.expected + self.variance, starts)
        return linear_sigma(
            np.concatenate([merged, self.fixed_jacobian]),
            np.concatenate([noise, self.fixed_variance]),
            self.prior,
        )

    def fine(self, settings: Binning) -> FineBins:
        """Give the bins for the search of the best edges."""
        fixed = self.fixed_jacobian.T @ (self.fixed_jacobian / self.fixed_variance[:, None])
        return FineBins(
            self.jacobian,
            self.expected + self.variance,
            fixed + np.diag(self.prior),
            lambda start, stop: self.is_allowed(start, stop, settings),
        )

    def is_allowed(self, start: int, stop: int, settings: Binning) -> bool:
        """Tell whether the sum of bins ``start`` to ``stop - 1`` meets the constraints."""
        background = self.background[start:stop].sum()
        error = np.sqrt(self.variance[start:stop].sum())
        total = self.expected[start:stop].sum()
        return bool(
            background >= settings.min_background
            and total > 0
            and error <= settings.max_relative_error * background
        )


def linearise(
    workspace: Mapping[str, Any],
    region: str,
    signals: Sequence[str],
    variance_scale: float = 1.0,
) -> LinearModel:
    """Take the derivatives at the nominal parameters from a workspace.

    Parameters
    ----------
    workspace
        pyhf workspace with fine bins; negative contents are allowed.
    region
        Channel whose bins are optimised.
    signals
        Samples that are no background.
    variance_scale
        Factor on Σw², for samples of another size than those of the final templates.

    Raises
    ------
    LikelihoodError
        If a modifier is of a kind that cannot be linearised.
    """
    poi = workspace["measurements"][0]["config"]["poi"]
    derivatives: dict[str, dict[str, Array]] = {poi: {}}
    free: set[str] = {poi}
    totals: dict[str, Array] = {}
    backgrounds: dict[str, Array] = {}
    variances: dict[str, Array] = {}
    for channel in workspace["channels"]:
        name, size = channel["name"], len(channel["samples"][0]["data"])
        totals[name], backgrounds[name], variances[name] = (np.zeros(size) for _ in range(3))
        for sample in channel["samples"]:
            data = np.asarray(sample["data"], dtype=np.float64)
            totals[name] = totals[name] + data
            if sample["name"] not in signals:
                backgrounds[name] = backgrounds[name] + data
            for modifier in sample["modifiers"]:
                content = modifier["data"]
                if modifier["type"] == "staterror":
                    squares = np.square(np.asarray(content, dtype=np.float64))
                    variances[name] = variances[name] + variance_scale * squares
                    continue
                change = _derivative(modifier, data)
                if modifier["type"] == "normfactor":
                    free.add(modifier["name"])
                rows = derivatives.setdefault(modifier["name"], {})
                rows[name] = rows.get(name, np.zeros(size)) + change
    names = list(derivatives)
    others = [name for name in totals if name != region]

    def columns(channel: str) -> Array:
        size = len(totals[channel])
        return np.stack([derivatives[n].get(channel, np.zeros(size)) for n in names], axis=1)

    # fine bins of another region may be empty: they say nothing
    filled = {name: totals[name] + variances[name] > 0.0 for name in others}
    return LinearModel(
        jacobian=columns(region),
        expected=totals[region],
        background=backgrounds[region],
        variance=variances[region],
        fixed_jacobian=np.concatenate(
            [np.zeros((0, len(names))), *(columns(name)[filled[name]] for name in others)]
        ),
        fixed_variance=np.concatenate(
            [np.zeros(0), *((totals[n] + variances[n])[filled[n]] for n in others)]
        ),
        prior=np.array([0.0 if name in free else 1.0 for name in names]),
    )


def _derivative(modifier: Mapping[str, Any], data: Array) -> Array:
    kind, content = modifier["type"], modifier["data"]
    if kind == "normfactor":
        return data
    if kind == "normsys":
        return np.asarray(data * 0.5 * np.log(content["hi"] / content["lo"]))
    if kind == "histosys":
        return np.asarray(0.5 * np.subtract(content["hi_data"], content["lo_data"]))
    raise LikelihoodError(f"modifier {modifier['name']}: {kind} cannot be linearised")


def optimise_edges(
    model: LinearModel, signal: Array, settings: Binning
) -> tuple[list[int], dict[str, Any]]:
    """Choose bins.

    Parameters
    ----------
    model
        Fine bins, in the order of the observable.
    signal
        Signal yield of each fine bin, shape ``(n_bins,)``.
    settings
        Method, largest number of bins, constraints.

    Returns
    -------
    starts
        First fine bin of each bin.
    record
        ``sigma`` (expected σ of the parameter of interest), ``sigma_quantile`` (of the quantile
        binning with the same constraints), for the gradient method ``sigma_soft`` before the
        edges were rounded, and for the dynamic one ``sigma_bound``, below which no edges are.

    Raises
    ------
    LikelihoodError
        If not even a single bin meets the constraints.
    """
    n_fine = len(model.expected)
    if not model.is_allowed(0, n_fine, settings):
        raise LikelihoodError(
            f"templates.binning: {model.background.sum():.4g} background events do not meet the "
            "constraints in a single bin"
        )
    quantile = _enforce(model, _quantiles(signal, settings.bins), settings)
    record: dict[str, Any] = {"sigma_quantile": model.sigma(quantile)}
    starts = quantile
    if settings.method == "merge":
        starts = _merge_greedily(model, settings)
    elif settings.method == "gradient":
        starts, record["sigma_soft"] = _follow_gradient(model, quantile, settings)
    elif settings.method == "dynamic":
        starts, record["sigma_bound"] = find_best_starts(model.fine(settings), settings.bins)
        starts = _join(model, starts, settings)
    if settings.method != "quantile" and model.sigma(starts) > record["sigma_quantile"]:
        starts = quantile
    record["sigma"] = model.sigma(starts)
    return starts, record


def _quantiles(signal: Array, bins: int) -> list[int]:
    """Give the starts of bins of equal signal; the highest bin ends at the last fine bin."""
    cumulative = np.cumsum(np.clip(signal, 0.0, None))
    targets = np.linspace(0.0, cumulative[-1], bins + 1)[1:-1]
    inner = np.searchsorted(cumulative, targets) + 1
    return [0, *sorted({int(i) for i in inner if 0 < i < len(signal)})]


def _enforce(model: LinearModel, starts: Sequence[int], settings: Binning) -> list[int]:
    """Move the lower edge of each bin that violates a constraint down, from the top."""
    kept: list[int] = []
    stop = len(model.expected)
    for start in reversed(starts):
        low = min(start, stop - 1)
        while low > 0 and not model.is_allowed(low, stop, settings):
            low -= 1
        if low >= 0 and model.is_allowed(low, stop, settings):
            kept.insert(0, low)
            stop = low
        if stop == 0:
            break
    if not kept:
        return [0]
    while kept[0] != 0:  # what is left at the lower end joins closed bins until it is allowed
        kept.pop(0)
        end = kept[0] if kept else len(model.expected)
        if model.is_allowed(0, end, settings):
            kept.insert(0, 0)
        elif not kept:
            return [0]
    return kept


def _merge_greedily(model: LinearModel, settings: Binning) -> list[int]:
    """Start with the finest allowed bins; join the pair that costs least until few enough."""
    return _join(model, _enforce(model, range(len(model.expected)), settings), settings)


def _join(model: LinearModel, starts: list[int], settings: Binning) -> list[int]:
    best = model.sigma(starts)
    while len(starts) > 1:
        costs = [model.sigma([*starts[:i], *starts[i + 1 :]]) for i in range(1, len(starts))]
        cheapest = int(np.argmin(costs))
        if len(starts) <= settings.bins and costs[cheapest] > best * (1.0 + settings.max_loss):
            break
        starts = [*starts[: cheapest + 1], *starts[cheapest + 2 :]]
        best = min(best, costs[cheapest])
    return starts


def _follow_gradient(
    model: LinearModel, start: Sequence[int], settings: Binning
) -> tuple[list[int], float]:
    """Move soft edges along the gradient of σ(μ), sharpen them, and round them."""
    n_fine = len(model.expected)
    centres = jnp.asarray((np.arange(n_fine) + 0.5) / n_fine)
    edges = np.array([*start, n_fine], dtype=np.float64) / n_fine
    raw = np.log(np.maximum(np.diff(edges), 1e-3))
    rows, noise = jnp.asarray(model.jacobian), jnp.asarray(model.expected + model.variance)
    background, variance = jnp.asarray(model.background), jnp.asarray(model.variance)
    fixed = (jnp.asarray(model.fixed_jacobian), jnp.asarray(model.fixed_variance))
    fixed_information = fixed[0].T @ (fixed[0] / fixed[1][:, None]) + jnp.diag(
        jnp.asarray(model.prior)
    )

    def inner_edges(values: Any) -> Any:
        return jnp.cumsum(jax.nn.softmax(values))[:-1]

    def loss(values: Any, width: Any) -> tuple[Any, Any]:
        steps = jax.nn.sigmoid((centres[None, :] - inner_edges(values)[:, None]) / width)
        above = jnp.concatenate([jnp.ones((1, n_fine)), steps])
        below = jnp.concatenate([steps, jnp.zeros((1, n_fine))])
        member = above - below
        sums = member @ rows
        information = sums.T @ (sums / (member @ noise)[:, None]) + fixed_information
        sigma = jnp.sqrt(jnp.linalg.inv(information)[0, 0])
        inside = member @ background
        short = jax.nn.relu(1.0 - inside / max(settings.min_background, 1e-9))
        error = jnp.sqrt(member @ variance) / jnp.maximum(inside, 1e-9)
        rough = jax.nn.relu(error / settings.max_relative_error - 1.0)
        return sigma * (1.0 + PENALTY * ((short**2).sum() + (rough**2).sum())), sigma

    gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))
    soft = np.inf

    def target(values: Array, width: float) -> tuple[float, Array]:
        (value, _), slope = gradient(values, width)
        return float(value), np.asarray(slope)

    with jax.enable_x64(True):
        for width in SOFTNESS:
            found = minimize(target, raw, args=(width,), jac=True, method="L-BFGS-B")
            raw = found.x
        (_, sigma), _ = gradient(raw, SOFTNESS[-1])
        soft = float(sigma)
        moved = np.rint(np.asarray(inner_edges(raw)) * n_fine).astype(int)
    starts = [0, *sorted({int(i) for i in moved if 0 < i < n_fine})]
    return _enforce(model, starts, settings), soft
