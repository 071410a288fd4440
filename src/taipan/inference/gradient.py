"""Expected yields and the slope of a function of them, without the slope of every yield.

:mod:`taipan.inference.histfactory` gives the derivative of every yield by every parameter, which a
Hessian needs. A gradient needs less: the slopes of the function by the yields are handed back
through the model (reverse mode), at about twice the cost of the yields. Entries that share their
`normsys` factors, mostly all bins of a sample in a region, are one group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse

from taipan.inference.histfactory import Yields

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Shapes of which less than this part differs from zero are kept as sparse matrices.
SPARSE = 0.2


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
    """

    def __init__(self, yields: Yields) -> None:
        self.yields = yields
        n_norms, entries = len(yields.norm_rows), len(yields.nominal)
        columns, self._group = _find_groups(yields.norm_at, entries)
        self._in_group = _mark(columns, n_norms)
        self._by_group = _incidence(self._group, self._in_group.shape[1])
        self._up = _compress(yields.shape_up)
        self._down = _compress(yields.shape_down)
        self._of_direct = [_incidence(layer, len(yields.directs)) for layer in yields.layers]
        self._to_alpha = _incidence(yields.norm_rows, len(yields.alphas))
        self._shape_to_alpha = _incidence(yields.shape_rows, len(yields.alphas))

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
        yields = self.yields
        factor, factor_slope, _ = yields._norm(values[:, yields.alphas[yields.norm_rows]])
        usable = np.asarray((factor > 0.0).all(axis=1))
        safe = np.where(factor > 0.0, factor, 1.0)
        norm = np.exp(np.log(safe) @ self._in_group)[:, self._group]
        weights, slopes, _ = yields._shape(values[:, yields.alphas[yields.shape_rows]])
        content = yields.nominal + _times(weights[0], self._up) + _times(weights[1], self._down)
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
        yields = self.yields
        gradient = np.zeros((len(weights), yields.shape[2]))
        weight = weights[:, yields.bins]
        scaled = weight * forward.norm
        product = forward.layers.prod(axis=1)
        outer = scaled * product
        entries = outer * forward.content
        by_norm = (entries @ self._by_group) @ self._in_group.T * forward.relative
        up, down = _back(outer, self._up), _back(outer, self._down)
        by_shape = forward.slopes[0] * up + forward.slopes[1] * down
        gradient[:, yields.alphas] = by_norm @ self._to_alpha + by_shape @ self._shape_to_alpha
        if len(yields.directs):
            base = scaled * forward.content
            total = np.zeros((len(weights), len(yields.directs)))
            for i, of_direct in enumerate(self._of_direct):
                others = [k for k in range(len(self._of_direct)) if k != i]
                total += (base * forward.layers[:, others].prod(axis=1)) @ of_direct
            gradient[:, yields.directs] = total
        return gradient


def _find_groups(norm_at: npt.NDArray[np.intp], entries: int) -> tuple[npt.NDArray[np.intp], ...]:
    """Give the distinct columns ``(P, G)``, and the group of each entry ``(M,)``."""
    if not len(norm_at):
        return np.zeros((0, 1), dtype=np.intp), np.zeros(entries, dtype=np.intp)
    columns, group = np.unique(norm_at, axis=1, return_inverse=True)
    return columns, np.asarray(group).reshape(-1)


def _mark(columns: npt.NDArray[np.intp], n_norms: int) -> Array:
    """Tell which of K factors act on each group, shape ``(K, G)``."""
    marked = np.zeros((n_norms + 1, columns.shape[1]))
    for group in range(columns.shape[1]):
        marked[columns[:, group], group] = 1.0
    return marked[:-1]


def _incidence(target: npt.NDArray[np.intp], size: int) -> scipy.sparse.csr_array:
    """Give the matrix ``(len(target), size)`` that adds each column up at its target, if any."""
    rows = np.flatnonzero(target < size)
    data = (np.ones(len(rows)), (rows, target[rows]))
    return scipy.sparse.csr_array(data, shape=(len(target), size))


def _compress(matrix: Array) -> Array | scipy.sparse.csr_array:
    """Keep a matrix with many zeros as a sparse one."""
    dense = matrix.size == 0 or np.count_nonzero(matrix) > SPARSE * matrix.size
    return matrix if dense else scipy.sparse.csr_array(matrix)


def _times(weights: Array, matrix: Array | scipy.sparse.csr_array) -> Array:
    return np.asarray(weights @ matrix)


def _back(weights: Array, matrix: Array | scipy.sparse.csr_array) -> Array:
    return np.asarray(weights @ matrix.T)
