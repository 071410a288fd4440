"""Repair of negative bins, in place of merging them with a neighbour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taipan.likelihood.merge import BinYields

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Repair:
    """Negative bins that were set to zero.

    Attributes
    ----------
    sample, region, label
        Of the template; `label` is ``nominal`` or a variation.
    bins
        Indices of the bins.
    contents
        What was in them (Σw).
    scale
        Factor on all other bins, which keeps the total.
    """

    sample: str
    region: str
    label: str
    bins: tuple[int, ...]
    contents: tuple[float, ...]
    scale: float


def repair_values(values: Array) -> tuple[Array, float]:
    """Set negative bins to zero and scale the others to the same total.

    Parameters
    ----------
    values
        Σw per bin, shape ``(n_bins,)``.

    Returns
    -------
    values
        New array without negative bins, or a copy where the total is not positive: then there is
        nothing to scale.
    scale
        Factor on the other bins, 1 where nothing was done.
    """
    total = values.sum()
    if not np.any(values < 0) or not total > 0:
        return values.copy(), 1.0
    positive = np.maximum(values, 0.0)
    scale = float(total / positive.sum())
    return positive * scale, scale


def repair_counts(counts: BinYields) -> tuple[BinYields, float]:
    """Repair a template; the square of each bin's change is added to its variance.

    Parameters
    ----------
    counts
        Σw and Σw² per bin.
    """
    values, scale = repair_values(counts.values)
    change = values - counts.values
    return BinYields(values, counts.variances + change**2), scale


def describe_repair(
    sample: str, region: str, label: str, before: Array, scale: float
) -> list[Repair]:
    """Give the record of one template: one entry, or none if nothing was repaired."""
    if scale == 1.0:
        return []
    bins = np.flatnonzero(before < 0)
    contents = tuple(float(x) for x in before[bins])
    return [Repair(sample, region, label, tuple(int(i) for i in bins), contents, scale)]
