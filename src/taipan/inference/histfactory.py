"""The expected yields of a HistFactory model as one small JAX function.

pyhf evaluates its models with dense tensors on a global backend. This function has only the terms
that act, so that its Hessian compiles and runs in a fraction of the time, and no global state. The
formulae are pyhf's (interpolation codes 4 and 4p), and a model is refused unless both agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from taipan.inference.errors import FitError

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

# modifiers that multiply all bins of a sample by one parameter, and those with one per bin
_SCALES = ("normfactor", "lumi")
_PER_BIN = ("staterror", "shapesys", "shapefactor")
_SUPPORTED = (*_SCALES, *_PER_BIN, "normsys", "histosys")


@dataclass(frozen=True)
class Tensors:
    """Numbers of a HistFactory model: S samples, C regions, B bins (one region after another).

    Attributes
    ----------
    nominal
        Nominal yields, shape ``(S, B)``.
    region
        Region of each bin, shape ``(B,)``.
    direct
        Layers ``(S, B)`` of the index of the parameter that multiplies each yield; the number of
        parameters where a layer has none.
    norm_index, norm_up, norm_down
        `normsys`, shape ``(K,)`` each: parameter, factors at +1 and -1.
    norm_layers
        Layers ``(S, C)`` of the position among these K that acts on each yield; K for none.
    shape_index, shape_up, shape_down
        `histosys`: parameter ``(H,)``, yield differences to nominal at ±1 ``(H, S, B)``.
    """

    nominal: Array
    region: Indices
    direct: tuple[Indices, ...]
    norm_index: Indices
    norm_up: Array
    norm_down: Array
    norm_layers: tuple[Indices, ...]
    shape_index: Indices
    shape_up: Array
    shape_down: Array


def read_tensors(workspace: Mapping[str, Any], config: Any) -> Tensors:
    """Collect the numbers of a workspace.

    Parameters
    ----------
    workspace
        pyhf workspace.
    config
        ``config`` of its pyhf model: order of samples, bins and parameters.

    Returns
    -------
    Tensors
        The numbers.

    Raises
    ------
    FitError
        If a modifier is of a kind that is not supported.
    """
    regions = list(config.channel_slices)
    slices = [config.channel_slices[name] for name in regions]
    shape = (len(config.samples), config.nmaindata)
    nominal = np.zeros(shape)
    direct: list[Indices] = []
    norms: list[tuple[int, float, float]] = []
    norm_layers: list[Indices] = []
    shapes: dict[int, tuple[Array, Array]] = {}
    for row, column, sample in _samples(workspace, config.samples, regions):
        bins = slices[column]
        nominal[row, bins] = sample["data"]
        in_direct = in_norms = 0
        for modifier in sample["modifiers"]:
            kind, name, data = modifier["type"], modifier["name"], modifier["data"]
            if kind not in _SUPPORTED:
                raise FitError(f"modifier {name}: type {kind!r} is not one of {_SUPPORTED}")
            first = config.par_slice(name).start
            if kind == "normsys":
                _layer(norm_layers, in_norms, (shape[0], len(regions)))[row, column] = len(norms)
                norms.append((first, data["hi"], data["lo"]))
                in_norms += 1
            elif kind == "histosys":
                up, down = shapes.setdefault(first, (np.zeros(shape), np.zeros(shape)))
                up[row, bins] = np.subtract(data["hi_data"], sample["data"])
                down[row, bins] = np.subtract(data["lo_data"], sample["data"])
            else:
                offset = np.arange(bins.stop - bins.start) if kind in _PER_BIN else 0
                _layer(direct, in_direct, shape)[row, bins] = first + offset
                in_direct += 1
    empty = np.zeros((0, *shape))
    return Tensors(
        nominal=nominal,
        region=np.repeat(np.arange(len(regions)), [bins.stop - bins.start for bins in slices]),
        direct=tuple(np.where(layer < 0, config.npars, layer) for layer in direct),
        norm_index=np.array([index for index, _, _ in norms], dtype=np.intp),
        norm_up=np.array([up for _, up, _ in norms], dtype=np.float64),
        norm_down=np.array([down for _, _, down in norms], dtype=np.float64),
        norm_layers=tuple(np.where(layer < 0, len(norms), layer) for layer in norm_layers),
        shape_index=np.array(list(shapes), dtype=np.intp),
        shape_up=np.stack([up for up, _ in shapes.values()]) if shapes else empty,
        shape_down=np.stack([down for _, down in shapes.values()]) if shapes else empty,
    )


def expected_yields(tensors: Tensors) -> Callable[[Any], Any]:
    """Give the function from parameters ``(n,)`` to expected yields ``(S, B)``.

    Additive changes of shape come first, then all factors, as in HistFactory.
    """
    half_sum = 0.5 * (tensors.shape_up - tensors.shape_down)
    curvature = 0.0625 * (tensors.shape_up + tensors.shape_down)
    log_up, log_down = np.log(tensors.norm_up), np.log(tensors.norm_down)
    coefficients = _code4_coefficients(tensors.norm_up, tensors.norm_down)

    def shape_change(values: Any) -> Any:
        """Code 4p: linear beyond ±1, a polynomial with continuous curvature between."""
        alpha = values[tensors.shape_index][:, None, None]
        square = alpha * alpha
        inside = alpha * (half_sum + alpha * curvature * (15.0 + square * (3.0 * square - 10.0)))
        beyond = jnp.where(alpha > 0, alpha * tensors.shape_up, -alpha * tensors.shape_down)
        return jnp.where(jnp.abs(alpha) > 1.0, beyond, inside).sum(axis=0)

    def norm_factors(values: Any) -> Any:
        """Code 4: exponential beyond ±1, a polynomial with continuous curvature between."""
        alpha = values[tensors.norm_index]
        polynomial = jnp.zeros_like(alpha)
        for coefficient in coefficients[::-1]:
            polynomial = (polynomial + coefficient) * alpha
        exponential = jnp.exp(jnp.where(alpha > 0, alpha * log_up, -alpha * log_down))
        return jnp.where(jnp.abs(alpha) >= 1.0, exponential, 1.0 + polynomial)

    def expected(values: Any) -> Any:
        yields = tensors.nominal + shape_change(values)
        if tensors.norm_layers:
            factors = jnp.append(norm_factors(values), 1.0)
            yields = yields * _product(factors, tensors.norm_layers)[:, tensors.region]
        if tensors.direct:
            yields = yields * _product(jnp.append(values, 1.0), tensors.direct)
        return yields

    return expected


def _product(factors: Any, layers: tuple[Indices, ...]) -> Any:
    """Multiply `factors` picked by each layer; written out, since derivatives of prod are slow."""
    product = factors[layers[0]]
    for layer in layers[1:]:
        product = product * factors[layer]
    return product


def _code4_coefficients(up: Array, down: Array) -> Array:
    """Give the coefficients of α¹…α⁶ of interpolation code 4, shape ``(6, K)``.

    Value, slope and curvature match the exponentials κ₊^α at α = 1 and κ₋^(-α) at α = -1.
    """
    power = np.arange(1, 7)
    sign = (-1.0) ** power
    matrix = np.stack(
        [
            np.ones(6),
            sign,
            power.astype(float),
            -sign * power,
            power * (power - 1.0),
            sign * power * (power - 1.0),
        ]
    )
    log_up, log_down = np.log(up), np.log(down)
    conditions = np.stack(
        [up - 1.0, down - 1.0, up * log_up, -down * log_down, up * log_up**2, down * log_down**2]
    )
    return np.asarray(np.einsum("ij,j...->i...", np.linalg.inv(matrix), conditions))


def _samples(
    workspace: Mapping[str, Any], samples: Sequence[str], regions: Sequence[str]
) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
    for channel in workspace["channels"]:
        for sample in channel["samples"]:
            yield samples.index(sample["name"]), regions.index(channel["name"]), sample


def _layer(layers: list[Indices], depth: int, shape: tuple[int, int]) -> Indices:
    """Give the layer at `depth`, added (filled with -1) if there is none yet."""
    if depth == len(layers):
        layers.append(np.full(shape, -1, dtype=np.intp))
    return layers[depth]
