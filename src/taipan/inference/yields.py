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
    model: CompiledModel, data: Array, edges: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """Give the yields at the nominal parameters (signal strength 1).

    The uncertainty is that of the auxiliary measurements; free parameters have none before the
    fit.

    Parameters
    ----------
    model
        The compiled model.
    data
        Data vector shown beside the yields.
    edges
        Bin edges per region.

    Returns
    -------
    dict
        region → ``edges``, ``data``, ``total``, ``total_sigma``, ``samples``.
    """
    covariance = np.diag(model.parameters.sigma**2)
    return _yields(model, data, edges, model.nominal(1.0), covariance)


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
    variance = np.einsum("bi,ij,bj->b", jacobian, covariance, jacobian)
    # rounding can leave -1e-20 where two contributions cancel
    sigma = np.sqrt(np.maximum(variance, 0.0))
    return {
        region: {
            "edges": [float(edge) for edge in edges[region]],
            "data": data[bins].tolist(),
            "total": by_sample[:, bins].sum(axis=0).tolist(),
            "total_sigma": sigma[bins].tolist(),
            "samples": {
                name: row[bins].tolist() for name, row in zip(model.samples, by_sample, strict=True)
            },
        }
        for region, bins in model.regions.items()
    }
