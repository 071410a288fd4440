"""Expected yields and the slope of a function of them, without the slope of every yield.

:mod:`taipan.inference.histfactory` gives the derivative of every yield by every parameter, which a
Hessian needs. A gradient needs less: the slopes of the function by the yields are handed back
through the model (reverse mode), at about twice the cost of the yields.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taipan.inference.entries import Entries, Matrix
from taipan.inference.histfactory import Yields

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Forward:
    """What the yields of T parameter vectors were made of."""

    content: Array
    norm: Array
    layers: Array
    relative: Array
    slopes: tuple[Array, Array]


class Gradients:
    """Yields of a model, and gradients of functions of them.

    Parameters
    ----------
    yields
        The expected yields as a function of the parameters.
    entries
        Its entries that belong together.
    """

    def __init__(self, yields: Yields, entries: Entries) -> None:
        self.yields, self.entries = yields, entries

    def evaluate(self, values: Array) -> tuple[Array, _Forward, Mask]:
        """Give the yields.

        Parameters
        ----------
        values
            Parameters, shape ``(T, n)``.

        Returns
        -------
        yields
            Shape ``(T, B)``.
        forward
            What :meth:`pull_back` needs.
        usable
            Rows whose factors are all positive, shape ``(T,)``; the others have no meaning.
        """
        yields, known = self.yields, self.entries
        factor, factor_slope, _ = yields._norm(values[:, yields.alphas[yields.norm_rows]])
        usable = np.asarray((factor > 0.0).all(axis=1))
        safe = np.where(factor > 0.0, factor, 1.0)
        norm = np.exp(np.log(safe) @ known.in_group)[:, known.group]
        weights, slopes, _ = yields._shape(values[:, yields.alphas[yields.shape_rows]])
        content = yields.nominal + _times(weights[0], known.up) + _times(weights[1], known.down)
        layers = yields._multipliers(values)
        total = yields._sum_bins(content * norm * layers.prod(axis=1))
        return total, _Forward(content, norm, layers, factor_slope / safe, slopes), usable

    def pull_back(self, forward: _Forward, weights: Array) -> Array:
        """Give Σ_b weight_b · d(yield_b)/dθ.

        Parameters
        ----------
        forward
            Of :meth:`evaluate`.
        weights
            Slopes of the function by the yields, shape ``(T, B)``.

        Returns
        -------
        numpy.ndarray
            Shape ``(T, n)``.
        """
        yields, known = self.yields, self.entries
        gradient = np.zeros((len(weights), yields.shape[2]))
        weight = weights[:, yields.bins]
        scaled = weight * forward.norm
        product = forward.layers.prod(axis=1)
        outer = scaled * product
        entries = outer * forward.content
        by_norm = (entries @ known.by_group) @ known.in_group.T * forward.relative
        up, down = _back(outer, known.up), _back(outer, known.down)
        by_shape = forward.slopes[0] * up + forward.slopes[1] * down
        gradient[:, yields.alphas] = by_norm @ known.to_alpha + by_shape @ known.shape_to_alpha
        if len(yields.directs):
            base = scaled * forward.content
            total = np.zeros((len(weights), len(yields.directs)))
            for i, of_direct in enumerate(known.of_direct):
                others = [k for k in range(len(known.of_direct)) if k != i]
                total += (base * forward.layers[:, others].prod(axis=1)) @ of_direct
            gradient[:, yields.directs] = total
        return gradient


def _times(weights: Array, matrix: Matrix) -> Array:
    return np.asarray(weights @ matrix)


def _back(weights: Array, matrix: Matrix) -> Array:
    return np.asarray(weights @ matrix.T)
