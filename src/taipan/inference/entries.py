"""Which entries of a model belong together, so that sums over them are taken once.

An entry is a sample in a bin. Entries that share all their `normsys` factors, mostly all bins of a
sample in a region, are one group. Each list of targets is a sparse matrix of ones that adds entries
up at their targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse

from taipan.inference.histfactory import Yields

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Sparse: TypeAlias = scipy.sparse.csr_array
Matrix: TypeAlias = Array | Sparse

# Shapes of which less than this part differs from zero are kept as sparse matrices.
SPARSE = 0.2


@dataclass(frozen=True)
class Entries:
    """The entries of a model (M), and what acts on them.

    Attributes
    ----------
    group
        Group of each entry, shape ``(M,)``.
    columns
        Which of the K `normsys` of each α acts on each group, shape ``(P, G)``; K for none.
    in_group
        Which of the K factors act on each group, shape ``(K, G)``.
    by_group
        Adds up entries by group, shape ``(M, G)``.
    up, down
        Changes of shape at ±1, shape ``(H, M)``.
    of_direct
        For each layer: adds up entries by the parameter that multiplies them, shape ``(M, Q)``.
    to_alpha, shape_to_alpha
        Add up `normsys` and `histosys` by α, shapes ``(K, P)`` and ``(H, P)``.
    """

    group: Indices
    columns: Indices
    in_group: Array
    by_group: Sparse
    up: Matrix
    down: Matrix
    of_direct: tuple[Sparse, ...]
    to_alpha: Sparse
    shape_to_alpha: Sparse


def group_entries(yields: Yields) -> Entries:
    """Group the entries of a model."""
    columns, group = yields.columns
    return Entries(
        group=group,
        columns=columns,
        in_group=_mark(columns, len(yields.norm_rows)),
        by_group=incidence(group, columns.shape[1]),
        up=_compress(yields.shape_up),
        down=_compress(yields.shape_down),
        of_direct=tuple(incidence(layer, len(yields.directs)) for layer in yields.layers),
        to_alpha=incidence(yields.norm_rows, len(yields.alphas)),
        shape_to_alpha=incidence(yields.shape_rows, len(yields.alphas)),
    )


def incidence(target: Indices, size: int) -> Sparse:
    """Give the matrix ``(len(target), size)`` that adds each column up at its target, if any."""
    rows = np.flatnonzero(target < size)
    data = (np.ones(len(rows)), (rows, target[rows]))
    return scipy.sparse.csr_array(data, shape=(len(target), size))


def _mark(columns: Indices, n_norms: int) -> Array:
    """Tell which of K factors act on each group, shape ``(K, G)``."""
    marked = np.zeros((n_norms + 1, columns.shape[1]))
    for group in range(columns.shape[1]):
        marked[columns[:, group], group] = 1.0
    return marked[:-1]


def _compress(matrix: Array) -> Matrix:
    """Keep a matrix with many zeros as a sparse one."""
    dense = matrix.size == 0 or np.count_nonzero(matrix) > SPARSE * matrix.size
    return matrix if dense else scipy.sparse.csr_array(matrix)
