"""The expected yields of a HistFactory model with exact first and second derivatives.

pyhf evaluates its models with dense tensors on a global backend. Here only the yields that exist
are kept, and all derivatives are written out as matrix products, for many parameter vectors at a
time and without compilation. The formulae are pyhf's, and a model is refused unless both agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taipan.inference.interpolation import (
    NormCode,
    ShapeCode,
)

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

# Numbers of one intermediate array, 32 MB.
BLOCK_NUMBERS = 4_000_000


@dataclass(frozen=True)
class Derivatives:
    """Expected yields of T parameter vectors and how they change.

    Attributes
    ----------
    yields
        Per bin, shape ``(T, B)``.
    slopes
        d(yield)/d(parameter), shape ``(T, n, B)``.
    """

    yields: Array
    slopes: Array
    _parts: tuple[Array, ...] = field(repr=False)


@dataclass(frozen=True)
class Yields:
    """Expected yields: M entries (a sample in a bin), sorted by bin; B bins; n parameters.

    An entry is (nominal + Σ changes of shape) · Π factors of `normsys` · Π parameters that
    multiply it directly. Parameters that interpolate are called α, the others direct.

    Attributes
    ----------
    nominal, sample, bins
        Yield, sample and bin of each entry, shape ``(M,)``.
    starts
        First entry of each bin that has any.
    shape
        ``(n_samples, B, n)``.
    alphas, directs
        Indices of the parameters that interpolate (P) and that multiply (Q).
    shape_rows
        Position among the α of each `histosys`, shape ``(H,)``.
    shape_up, shape_down
        Changes at ±1, shape ``(H, M)``.
    norm_rows
        Position among the α of each `normsys`, shape ``(K,)``.
    norm_at
        Position among these K that acts on each entry, shape ``(P, M)``; K for none.
    layers
        Position among the direct parameters, shape ``(L, M)``; Q for none.
    """

    nominal: Array
    sample: Indices
    bins: Indices
    starts: Indices
    shape: tuple[int, int, int]
    alphas: Indices
    directs: Indices
    shape_rows: Indices
    shape_up: Array
    shape_down: Array
    norm_rows: Indices
    norm_at: Indices
    layers: Indices
    _norm: NormCode
    _shape: ShapeCode

    def by_sample(self, values: Array) -> Array:
        """Give the yields of each sample, shape ``(T, n_samples, B)``, for ``(T, n)`` values."""
        entries = self._entries(values)
        out = np.zeros((len(values), *self.shape[:2]))
        out[:, self.sample, self.bins] = entries
        return out

    def total(self, values: Array) -> Array:
        """Give the total yields, shape ``(T, B)``, for parameters ``(T, n)``."""
        return self._sum_bins(self._entries(values))

    def move_alone(self, values: Array, pulls: Array) -> Array:
        """Give the total yields with one interpolating parameter at a time moved.

        Parameters
        ----------
        values
            Parameters ``(n,)`` of which the others are kept; interpolating ones are taken as zero.
        pulls
            Values ``(T,)`` of the parameter that is moved.

        Returns
        -------
        numpy.ndarray
            Yields for each α, pull and bin, shape ``(P, T, B)``.
        """
        direct = self._multipliers(values[None])[0].prod(axis=0)
        norms = self._norm(np.repeat(pulls[:, None], len(self.norm_rows), axis=1))[0]
        norms = np.concatenate([norms, np.ones((len(pulls), 1))], axis=1)
        weights = self._shape(np.repeat(pulls[:, None], len(self.shape_rows), axis=1))[0]
        rows = {int(alpha): row for row, alpha in enumerate(self.shape_rows)}
        moved = []
        for alpha, at in enumerate(self.norm_at):
            content = np.repeat(self.nominal[None], len(pulls), axis=0)
            if (row := rows.get(alpha)) is not None:
                content = content + weights[0][:, row, None] * self.shape_up[row]
                content += weights[1][:, row, None] * self.shape_down[row]
            moved.append(self._sum_bins(content * norms[:, at] * direct))
        return np.stack(moved) if moved else np.zeros((0, len(pulls), self.shape[1]))

    def has_negative(self) -> bool:
        """Tell whether a variation of shape takes an entry below zero at ±1."""
        return bool(
            any(
                ((self.nominal + change < 0.0) & (change != 0.0)).any()
                for change in (*self.shape_up, *self.shape_down)
            )
        )

    def derivatives(self, values: Array) -> Derivatives:
        """Give the yields and their first derivatives for parameters ``(T, n)``."""
        content, slope, bend = self._content(values)
        factors, relative, relative_slope = self._factors(values)
        norm = factors.prod(axis=1)
        multipliers = self._multipliers(values)
        product, without = multipliers.prod(axis=1), _leave_one_out(multipliers)
        change = norm[:, None] * (slope + content[:, None] * relative)  # of content · norm, by α
        parts = (content, slope, bend, norm, relative, relative_slope, multipliers, change)
        slopes = np.zeros((len(values), self.shape[2], self.shape[1]))
        slopes[:, self.alphas] = self._sum_bins(change * product[:, None])
        if len(self.directs):
            base = content * norm
            for block in self._blocks(len(values)):
                slopes[:, self.directs[block]] = self._direct_slopes(base, without, block)
        return Derivatives(self._sum_bins(content * norm * product), slopes, parts)

    def _blocks(self, rows: int) -> list[slice]:
        """Divide the direct parameters so that one array over their entries stays small."""
        size = max(1, BLOCK_NUMBERS // max(1, rows * len(self.nominal)))
        return [
            slice(first, min(first + size, len(self.directs)))
            for first in range(0, len(self.directs), size)
        ]

    def _direct_slopes(self, base: Array, without: Array, block: slice) -> Array:
        """Slopes by some of the direct parameters, shape ``(T, parameters, B)``."""
        size = block.stop - block.start
        dense = np.zeros((len(base), size + 1, len(self.nominal)))
        for layer, others in zip(self.layers, np.moveaxis(without, 1, 0), strict=True):
            row, entry = self._in_block(layer, block)
            dense[:, row, entry] += (base * others)[:, entry]
        return self._sum_bins(dense[:, :-1])

    def _in_block(self, layer: Indices, block: slice) -> tuple[Indices, Indices]:
        """Rows and entries of the parameters of a block that a layer holds."""
        entry = np.flatnonzero((layer >= block.start) & (layer < block.stop))
        return layer[entry] - block.start, entry

    def change_of_bins(self, values: Array, steps: Array) -> Array:
        """Give the largest relative change of a bin by a step ±s of each parameter, shape ``(n,)``.

        Parameters
        ----------
        values
            Parameters, shape ``(n,)``.
        steps
            Step of each, shape ``(n,)``.
        """
        base = self.total(values[None])[0]
        found = np.zeros(self.shape[2])
        for i in self.alphas:
            points = np.repeat(values[None], 2, axis=0)
            points[:, i] += (steps[i], -steps[i])
            found[i] = np.abs(self.total(points) / base - 1.0).max()
        # yields are linear in the others, and most of them act on one bin
        content, _, _ = self._content(values[None])
        factors, _, _ = self._factors(values[None])
        without = _leave_one_out(self._multipliers(values[None]))
        for block in self._blocks(1):
            slopes = self._direct_slopes(content * factors.prod(axis=1), without, block)[0]
            chosen = self.directs[block]
            found[chosen] = np.abs(slopes * steps[chosen, None] / base).max(axis=1)
        return found

    def weighted_curvature(self, found: Derivatives, values: Array, weights: Array) -> Array:
        """Give Σ_b weight_b · d²(yield_b)/dθdθ', shape ``(T, n, n)``; weights ``(T, B)``."""
        content, slope, bend, norm, relative, relative_slope, multipliers, change = found._parts
        weight = weights[:, self.bins]
        scaled = weight * multipliers.prod(axis=1) * norm
        curvature = np.zeros((len(values), self.shape[2], self.shape[2]))
        if len(self.alphas):
            cross = (slope * scaled[:, None]) @ relative.swapaxes(1, 2)
            square = (relative * (scaled * content)[:, None]) @ relative.swapaxes(1, 2)
            block = cross + cross.swapaxes(1, 2) + square
            diagonal = ((bend + content[:, None] * relative_slope) * scaled[:, None]).sum(axis=2)
            place = np.arange(len(self.alphas))
            block[:, place, place] += diagonal
            curvature[:, self.alphas[:, None], self.alphas] = block
        if len(self.directs):
            mixed = self._mixed_curvature(change * weight[:, None], multipliers)
            pure = self._direct_curvature(content * norm * weight, multipliers)
            curvature[:, self.alphas[:, None], self.directs] = mixed
            curvature[:, self.directs[:, None], self.alphas] = mixed.swapaxes(1, 2)
            curvature[:, self.directs[:, None], self.directs] = pure
        return curvature

    def _mixed_curvature(self, change: Array, multipliers: Array) -> Array:
        """Give the block (α, direct) of the curvature; `change` ``(T, P, M)`` has the weights."""
        mixed = np.zeros((len(change), len(self.alphas), len(self.directs)))
        without = _leave_one_out(multipliers)
        for block in self._blocks(1):
            for i, layer in enumerate(self.layers):
                row, entry = self._in_block(layer, block)
                selection = np.zeros((len(layer), block.stop - block.start + 1))
                selection[:, -1] = 1.0
                selection[entry, -1], selection[entry, row] = 0.0, 1.0
                mixed[:, :, block] += ((change * without[:, i, None]) @ selection)[:, :, :-1]
        return mixed

    def _direct_curvature(self, base: Array, multipliers: Array) -> Array:
        """Give the block (direct, direct) of the curvature; `base` ``(T, M)`` has the weights."""
        size = len(self.directs)
        pure = np.zeros((len(base), size * size))
        for i, layer in enumerate(self.layers):
            for j, other in enumerate(self.layers):
                both = np.flatnonzero((layer < size) & (other < size))
                if i == j or not len(both):
                    continue
                rest = [k for k in range(len(self.layers)) if k not in (i, j)]
                value = base[:, both] * multipliers[:, rest][:, :, both].prod(axis=1)
                target = layer[both] * size + other[both]
                order = np.argsort(target, kind="stable")
                first = np.flatnonzero(np.diff(target[order], prepend=-1))
                pure[:, target[order][first]] += np.add.reduceat(value[:, order], first, axis=1)
        return pure.reshape(-1, size, size)

    @cached_property
    def columns(self) -> tuple[Indices, Indices]:
        """Distinct columns of `norm_at`, shape ``(P, G)``, and which each entry has, ``(M,)``."""
        if not len(self.norm_at):
            return np.zeros((0, 1), dtype=np.intp), np.zeros(len(self.nominal), dtype=np.intp)
        columns, group = np.unique(self.norm_at, axis=1, return_inverse=True)
        return columns, np.asarray(group).reshape(-1)

    def _entries(self, values: Array) -> Array:
        columns, group = self.columns
        value, _, _ = self._norm(values[:, self.alphas[self.norm_rows]])
        padded = np.concatenate([value, np.ones((len(values), 1))], axis=1)
        factors = padded[:, columns].prod(axis=1)[:, group]
        weights, _, _ = self._shape(values[:, self.alphas[self.shape_rows]])
        content = self.nominal + weights[0] @ self.shape_up + weights[1] @ self.shape_down
        return np.asarray(content * factors * self._multipliers(values).prod(axis=1))

    def _content(self, values: Array) -> tuple[Array, Array, Array]:
        """Give nominal plus changes of shape, and its derivatives ``(T, P, M)``."""
        alpha = values[:, self.alphas[self.shape_rows]]
        weights, slopes, bends = self._shape(alpha)
        content = self.nominal + weights[0] @ self.shape_up + weights[1] @ self.shape_down
        empty = (len(values), len(self.alphas), len(self.nominal))
        slope, bend = np.zeros(empty), np.zeros(empty)
        for target, (up, down) in ((slope, slopes), (bend, bends)):
            target[:, self.shape_rows] = (
                up[:, :, None] * self.shape_up + down[:, :, None] * self.shape_down
            )
        return content, slope, bend

    def _factors(self, values: Array) -> tuple[Array, Array, Array]:
        """Give the factors f of `normsys`, f'/f and (f'/f)', of each α and entry, ``(T, P, M)``."""
        value, slope, bend = self._norm(values[:, self.alphas[self.norm_rows]])
        safe = np.where(value == 0.0, np.finfo(float).tiny, value)
        relative = slope / safe
        relative_slope = bend / safe - relative * relative
        padded = [
            np.concatenate([item, np.full((len(values), 1), fill)], axis=1)
            for item, fill in ((value, 1.0), (relative, 0.0), (relative_slope, 0.0))
        ]
        return padded[0][:, self.norm_at], padded[1][:, self.norm_at], padded[2][:, self.norm_at]

    def _multipliers(self, values: Array) -> Array:
        """Give the direct parameters of each layer, shape ``(T, L, M)``; 1 where there is none."""
        padded = np.concatenate([values[:, self.directs], np.ones((len(values), 1))], axis=1)
        return np.asarray(padded[:, self.layers])

    def _sum_bins(self, entries: Array) -> Array:
        out = np.zeros((*entries.shape[:-1], self.shape[1]))
        out[..., self.bins[self.starts]] = np.add.reduceat(entries, self.starts, axis=-1)
        return out


def _leave_one_out(multipliers: Array) -> Array:
    """Product over all layers but one, for each; exact where a parameter is zero."""
    layers = range(multipliers.shape[1])
    if not layers:
        return multipliers
    return np.stack(
        [multipliers[:, [k for k in layers if k != i]].prod(axis=1) for i in layers], axis=1
    )
