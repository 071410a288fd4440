"""Bins whose predicted yield is at zero, or below."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from taipan.inference.errors import EmptyBinError, NegativeBinError
from taipan.inference.model import CompiledModel, name_bin
from taipan.inference.poisson import LARGEST_FLOOR, SLACK

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# A yield below this many floors has been changed by it.
NEAR_FLOOR = 10.0


def find_touched(model: CompiledModel, rates: Array, data: Array) -> Mask:
    """Tell in which bins the floor has changed −ln L: shape ``(T, B)``, as the `rates`.

    A bin with data must be clear of the floor. One without may lie at zero, and below it by as
    little as the parabola that holds it there allows.
    """
    counts = data[:, : model.n_bins]
    return np.asarray(np.where(counts > 0.0, rates < NEAR_FLOOR * model.floor, rates < -SLACK))


def find_edges(model: CompiledModel, rates: Array, data: Array) -> Mask:
    """Tell which bins without data are held at zero: shape ``(T, B)``, as the `rates`."""
    empty = data[:, : model.n_bins] == 0.0
    return np.asarray(empty & (rates <= 2.0 * LARGEST_FLOOR))


def is_at_edge(model: CompiledModel, data: Array, values: Array) -> bool:
    """Tell whether the signal eats up the background of a bin without data."""
    empty = find_edges(model, model.expected(values)[None], data[None])[0]
    return bool(empty.any() and (model.jacobian(values)[empty, model.poi] != 0.0).any())


def find_empty_bin(model: CompiledModel, values: Array, data: Array) -> EmptyBinError | None:
    """Say in which bin −ln L is not that of the model, because its yield is not positive."""
    rates, counts = model.expected(values), data[: model.n_bins]
    touched = find_touched(model, rates[None], data[None])[0]
    if not touched.any():
        return None
    place = int(np.argmax(touched))
    where = name_bin(model.regions, place)
    if counts[place] > 0.0:
        return EmptyBinError(
            f"{where}: nothing is predicted where the data are {counts[place]:.6g}"
        )
    return NegativeBinError(f"{where}: less than nothing is predicted ({rates[place]:.3g})")
