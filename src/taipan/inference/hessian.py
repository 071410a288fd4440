"""Second derivatives of functions of the yields of a large model, from sums over its groups.

:mod:`taipan.inference.histfactory` multiplies matrices over all entries. Most of that is the same
number many times: `normsys` factors are those of a group of entries, and a parameter of one bin
acts on one bin. Here sums over groups come first, and parameters that multiply are sparse. The
results are the same to rounding. One parameter vector at a time is evaluated, which pays off for
large models.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse

from taipan.inference.entries import Entries, Matrix, Sparse, incidence
from taipan.inference.histfactory import Yields

Array = npt.NDArray[np.float64]

# Numbers of a matrix (α, entries) above which sums over groups are faster.
LARGE = 50_000


@dataclass(frozen=True)
class _Parts:
    """What the yields of one parameter vector are made of."""

    content: Array
    norm: Array
    multipliers: Array
    relative: Array
    relative_slope: Array
    shapes: Matrix
    bends: tuple[Array, Array]


@dataclass(frozen=True)
class Slopes:
    """The yields of one parameter vector, how they change, and what both were made of.

    Attributes
    ----------
    yields
        Per bin, shape ``(B,)``.
    by_alpha
        Derivatives by the parameters that interpolate, shape ``(P, B)``.
    by_direct
        Derivatives by those that multiply, shape ``(Q, B)``.
    """

    yields: Array
    by_alpha: Array
    by_direct: Sparse
    _parts: _Parts


class Hessians:
    """Yields of a large model, with derivatives of functions of them.

    Parameters
    ----------
    yields
        The expected yields as a function of the parameters.
    entries
        Its entries that belong together.
    """

    def __init__(self, yields: Yields, entries: Entries) -> None:
        self.yields, self.entries = yields, entries
        self._by_bin = incidence(yields.bins, yields.shape[1])
        pairs = itertools.permutations(range(len(yields.layers)), 2)
        size = len(yields.directs)
        self._both = {
            (i, j): np.flatnonzero((yields.layers[i] < size) & (yields.layers[j] < size))
            for i, j in pairs
        }

    @property
    def is_faster(self) -> bool:
        """Tell whether the model is large enough for it."""
        return len(self.yields.alphas) * len(self.yields.nominal) > LARGE

    def evaluate(self, values: Array) -> Slopes | None:
        """Give the yields and their derivatives; None if a factor is not positive.

        Parameters
        ----------
        values
            Parameters, shape ``(n,)``.
        """
        parts = self._open(values)
        if parts is None:
            return None
        product = parts.multipliers.prod(axis=0)
        expected = parts.content * parts.norm * product
        by_group = _sum_pairs(self.entries.by_group, expected, self._by_bin)
        by_alpha = np.asarray(parts.relative @ by_group)
        rows = self.yields.shape_rows
        by_alpha[rows] += parts.shapes @ _weigh(parts.norm * product, self._by_bin)
        by_entry = self._multiply(parts.content * parts.norm, parts.multipliers)
        by_direct = scipy.sparse.csr_array(by_entry.T @ self._by_bin)
        return Slopes(self._by_bin.T @ expected, by_alpha, by_direct, parts)

    def bend(self, values: Array, weights: Array) -> Array | None:
        """Give Σ weight · d²(yield) by the parameters that interpolate, shape ``(P, P)``.

        Parameters
        ----------
        values
            Parameters, shape ``(n,)``.
        weights
            Of each yield, shape ``(B,)``.

        Returns
        -------
        numpy.ndarray or None
            None if a factor is not positive.
        """
        parts = self._open(values)
        if parts is None:
            return None
        block = np.zeros((len(self.yields.alphas), len(self.yields.alphas)))
        self._bend_interpolating(block, parts, weights[self.yields.bins])
        return block

    def _open(self, values: Array) -> _Parts | None:
        yields, entries = self.yields, self.entries
        row = values[None]
        factor, slope, bend = (
            item[0] for item in yields._norm(row[:, yields.alphas[yields.norm_rows]])
        )
        if not (factor > 0.0).all():
            return None
        relative = slope / factor
        padded = np.append(relative, 0.0), np.append(bend / factor - relative**2, 0.0)
        norm = np.exp(np.log(factor) @ entries.in_group)[entries.group]
        weights, changes, bends = (
            tuple(item[0] for item in pair)
            for pair in yields._shape(row[:, yields.alphas[yields.shape_rows]])
        )
        content = yields.nominal + weights[0] @ entries.up + weights[1] @ entries.down
        return _Parts(
            content=content,
            norm=norm,
            multipliers=yields._multipliers(row)[0],
            relative=padded[0][entries.columns],
            relative_slope=padded[1][entries.columns],
            shapes=_scale(entries.up, changes[0]) + _scale(entries.down, changes[1]),
            bends=(bends[0], bends[1]),
        )

    def combine(self, found: Slopes, slope: Array, curvature: Array) -> tuple[Array, Array]:
        """Give gradient ``(n,)`` and Hessian ``(n, n)`` of a sum of functions of each yield.

        Parameters
        ----------
        found
            Of :meth:`evaluate`.
        slope, curvature
            First and second derivative of each function by its yield, shape ``(B,)``.
        """
        yields = self.yields
        alphas, directs = yields.alphas, yields.directs
        gradient, hessian = np.zeros(yields.shape[2]), np.zeros((yields.shape[2], yields.shape[2]))
        gradient[alphas], gradient[directs] = found.by_alpha @ slope, found.by_direct @ slope
        scaled = found.by_alpha * curvature
        interpolating = scaled @ found.by_alpha.T
        mixed = scaled @ found.by_direct.T
        direct = (_weigh(curvature, found.by_direct.T).T @ found.by_direct.T).toarray()
        if slope.any():
            weight = slope[yields.bins]
            self._bend_interpolating(interpolating, found._parts, weight)
            self._bend_mixed(mixed, found._parts, weight)
            direct += self._bend_direct(found._parts, weight)
        hessian[np.ix_(alphas, alphas)] = interpolating
        hessian[np.ix_(alphas, directs)] = mixed
        hessian[np.ix_(directs, alphas)] = mixed.T
        hessian[np.ix_(directs, directs)] = direct
        return gradient, hessian

    def _bend_interpolating(self, block: Array, parts: _Parts, weight: Array) -> None:
        """Add Σ weight · d²(yield) of the parameters that interpolate."""
        entries, rows = self.entries, self.yields.shape_rows
        outer = weight * parts.norm * parts.multipliers.prod(axis=0)
        by_group = (outer * parts.content) @ entries.by_group
        block += (parts.relative * by_group) @ parts.relative.T
        cross = (parts.shapes @ _weigh(outer, entries.by_group)) @ parts.relative.T
        block[rows] += cross
        block[:, rows] += cross.T
        diagonal = parts.relative_slope @ by_group
        diagonal[rows] += parts.bends[0] * (entries.up @ outer)
        diagonal[rows] += parts.bends[1] * (entries.down @ outer)
        block[np.diag_indices(len(block))] += diagonal

    def _bend_mixed(self, block: Array, parts: _Parts, weight: Array) -> None:
        """Add Σ weight · d²(yield) of one that interpolates and one that multiplies."""
        base = weight * parts.norm
        content = self._multiply(base * parts.content, parts.multipliers)
        block += parts.relative @ (self.entries.by_group.T @ content)
        shapes = parts.shapes @ self._multiply(base, parts.multipliers)
        block[self.yields.shape_rows] += shapes

    def _bend_direct(self, parts: _Parts, weight: Array) -> Array:
        """Give Σ weight · d²(yield) of two parameters that multiply."""
        size, layers = len(self.yields.directs), self.yields.layers
        base, total = weight * parts.content * parts.norm, np.zeros((size, size))
        for (i, j), both in self._both.items():
            rest = [k for k in range(len(layers)) if k not in (i, j)]
            value = base[both] * parts.multipliers[rest][:, both].prod(axis=0)
            np.add.at(total, (layers[i][both], layers[j][both]), value)
        return total

    def _multiply(self, base: Array, multipliers: Array) -> Sparse:
        """Give d(base · Π multipliers)/d(multiplier) of each entry, shape ``(M, Q)``."""
        of_direct = self.entries.of_direct
        total = scipy.sparse.csr_array((len(base), len(self.yields.directs)))
        for i, layer in enumerate(of_direct):
            others = [k for k in range(len(of_direct)) if k != i]
            total = total + _weigh(base * multipliers[others].prod(axis=0), layer)
        return total


def _weigh(weights: Array, matrix: Sparse) -> Sparse:
    """Multiply the rows of a sparse matrix."""
    return scipy.sparse.csr_array(scipy.sparse.diags_array(weights) @ matrix)


def _scale(matrix: Matrix, weights: Array) -> Matrix:
    """Multiply the rows of a matrix, which stays dense or sparse."""
    if isinstance(matrix, np.ndarray):
        return np.asarray(weights[:, None] * matrix)
    return _weigh(weights, matrix)


def _sum_pairs(first: Sparse, weights: Array, second: Sparse) -> Sparse:
    """Add up entries by two lists of targets, such as group and bin."""
    return scipy.sparse.csr_array(first.T @ _weigh(weights, second))
