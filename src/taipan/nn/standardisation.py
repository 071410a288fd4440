"""Mean and spread of the features, by which the inputs of a network are scaled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Standardisation:
    """Affine map of each feature to mean 0 and variance 1; arrays of shape (f,), float64.

    A feature without spread has `inverse_sigma` 0: it gives 0 for every event.
    """

    mean: FloatArray
    inverse_sigma: FloatArray


def measure_spread(features: NDArray[np.float32], weights: FloatArray) -> Standardisation:
    """Measure mean and inverse sigma of each feature where it is present.

    Events count with |w|: with signed weights a variance may come out negative, and only the
    scale of the inputs matters here.

    Parameters
    ----------
    features
        Shape (n, f), NaN for missing.
    weights
        Shape (n,), signed.
    """
    present = ~np.isnan(features)
    values = np.where(present, features, 0.0).astype(np.float64)
    size = np.where(present, np.abs(weights)[:, None], 0.0)
    total = size.sum(axis=0)
    safe = np.where(total > 0.0, total, 1.0)
    mean = (size * values).sum(axis=0) / safe
    variance = (size * (values - mean) ** 2).sum(axis=0) / safe
    sigma = np.sqrt(variance)
    spread = sigma > 1e-12 * np.maximum(1.0, np.abs(mean))
    return Standardisation(mean, np.where(spread, 1.0 / np.where(spread, sigma, 1.0), 0.0))


def standardisation(
    features: NDArray[np.float32], weights: FloatArray, names: tuple[str, ...], network: str
) -> Standardisation:
    """Measure the spread of each feature (:func:`measure_spread`); there must be one.

    Parameters
    ----------
    features
        Shape (n, f), training events of one network, NaN for missing.
    weights
        Shape (n,), signed.
    names
        Names of the features, for the error.
    network
        Name of the network, for the error.

    Returns
    -------
    Standardisation
        Constants of the map, shape (f,).

    Raises
    ------
    TaipanError
        If a feature has no spread in these events; names feature and network.
    """
    found = measure_spread(features, weights)
    for column, name in enumerate(names):
        if found.inverse_sigma[column] == 0.0:
            raise TaipanError(
                f"training of {network}: feature {name!r} is constant "
                f"({found.mean[column]:.6g}) in the training events"
            )
    return found
