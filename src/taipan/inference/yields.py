"""Expected yields before and after the fit, with their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.inference.fit import FitResult
from taipan.inference.model import CompiledModel

Array = npt.NDArray[np.float64]


def prefit_yields(
    model: CompiledModel,
    data: Array,
    edges: Mapping[str, Sequence[float]],
    strength: float = 1.0,
) -> dict[str, Any]:
    """Give the yields at the nominal parameters.

    The uncertainty is that of the auxiliary measurements; free parameters have none before the
    fit.

    Parameters
    ----------
    model
        The compiled model.
    data
        Data vector shown beside the yields.
    edges
        Bin edges of each region that is wanted.
    strength
        Value of the parameter of interest.

    Returns
    -------
    dict
        region → ``edges``, ``data``, ``total``, ``total_sigma``, ``sum_sigma`` (of the sum of
        the bins, with their correlations), ``samples``.
    """
    covariance = np.diag(model.parameters.sigma**2)
    return _yields(model, data, edges, model.nominal(strength), covariance)


def postfit_yields(
    model: CompiledModel, data: Array, edges: Mapping[str, Sequence[float]], best: FitResult
) -> dict[str, Any]:
    """Give the yields at the best fit, with the full covariance; keys as :func:`prefit_yields`."""
    return _yields(model, data, edges, best.values, best.covariance)


def _yields(
    model: CompiledModel,
    data: Array,
    edges: Mapping[str, Sequence[float]],
    values: Array,
    covariance: Array,
) -> dict[str, Any]:
    by_sample = model.expected_by_sample(values)
    jacobian = model.jacobian(values)
    spread = jacobian @ covariance
    # the diagonal of J C Jᵀ alone: all of it has the square of the number of bins
    sigma = _root(np.einsum("bi,bi->b", spread, jacobian))
    sums = {
        region: _root(spread[bins].sum(axis=0) @ jacobian[bins].sum(axis=0))
        for region, bins in model.regions.items()
    }
    return {
        region: {
            "edges": [float(edge) for edge in edges[region]],
            "data": data[bins].tolist(),
            "total": by_sample[:, bins].sum(axis=0).tolist(),
            "total_sigma": sigma[bins].tolist(),
            "sum_sigma": float(sums[region]),
            "samples": {
                name: row[bins].tolist() for name, row in zip(model.samples, by_sample, strict=True)
            },
        }
        for region, bins in model.regions.items()
        if region in edges
    }


def join_parts(yields: Mapping[str, Any], parts: Mapping[str, str]) -> dict[str, Any]:
    """Add the parts of divided samples up, each under the name of its sample.

    Parameters
    ----------
    yields
        Of :func:`prefit_yields`.
    parts
        Part → sample; empty for what is no yield of an event.
    """
    joined = {}
    for region, found in yields.items():
        samples: dict[str, list[float]] = {}
        for name, values in found["samples"].items():
            whole = parts.get(name, name)
            if not whole:
                continue
            before = samples.get(whole, [0.0] * len(values)) if parts else None
            samples[whole] = (
                values if before is None else [a + b for a, b in zip(before, values, strict=True)]
            )
        joined[region] = {**found, "samples": samples}
    return joined


def _root(variance: Any) -> Array:
    # rounding can leave -1e-20 where two contributions cancel
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def predict(model: CompiledModel, best: FitResult, other: CompiledModel) -> dict[str, Any]:
    """Evaluate another model at the result of a fit; parameters correspond by name.

    Parameters of the other model that were not fitted stay nominal, with the uncertainty of their
    auxiliary measurement.

    Parameters
    ----------
    model, best
        The model that was fitted, and its fit.
    other
        The model to evaluate, for instance of validation regions.

    Returns
    -------
    dict
        Region → as :func:`prefit_yields`, with bins numbered from zero.
    """
    values = other.parameters.initial.copy()
    covariance = np.diag(other.parameters.sigma**2)
    here = [i for i, n in enumerate(other.parameters.names) if n in model.parameters.names]
    there = [model.parameters.index(other.parameters.names[i]) for i in here]
    values[here] = best.values[there]
    covariance[np.ix_(here, here)] = best.covariance[np.ix_(there, there)]
    edges = {
        name: [float(i) for i in range(bins.stop - bins.start + 1)]
        for name, bins in other.regions.items()
    }
    return _yields(other, other.observed, edges, values, covariance)
