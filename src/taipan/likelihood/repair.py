"""Repair of negative bins of a sample, nominal or under a variation.

Events with negative weights, data minus simulation and mirrored variations can make a sample
negative in a bin whose total is positive and well known. Such a bin is set to zero and the other
bins of the sample are scaled to the same total.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taipan.likelihood.merge import BinYields
from taipan.likelihood.table import TemplatePair

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
    """Repair a template at the same yield; Σw² of each bin stays.

    The Σw² is the uncertainty of what was in the bin, which zero is within if the sample is
    positive in truth. So the uncertainty of the total of the bin stays what it was.

    Parameters
    ----------
    counts
        Σw and Σw² per bin.
    """
    values, scale = repair_values(counts.values)
    return BinYields(values, counts.variances.copy()), scale


def describe_repair(
    sample: str, region: str, label: str, before: Array, scale: float
) -> list[Repair]:
    """Give the record of one template: one entry, or none if nothing was repaired."""
    if scale == 1.0:
        return []
    bins = np.flatnonzero(before < 0)
    contents = tuple(float(x) for x in before[bins])
    return [Repair(sample, region, label, tuple(int(i) for i in bins), contents, scale)]


def repair_pair(
    place: tuple[str, str], name: str, variation: TemplatePair, offset: Array | float = 0.0
) -> tuple[TemplatePair, list[Repair]]:
    """Repair both templates of a variation.

    Parameters
    ----------
    place
        Sample and region, for the record.
    name
        The systematic.
    variation
        Templates at ±1σ.
    offset
        Part of the templates that is subtracted again in the model; what is left of them may not
        be negative.

    Returns
    -------
    variation
        New templates with the same totals.
    record
        What was done; empty if nothing was negative.
    """
    done: list[Repair] = []
    sides = {}
    for direction, filled in (("up", variation.up), ("down", variation.down)):
        before = filled - offset
        after, scale = repair_values(before)
        sides[direction] = filled if scale == 1.0 else after + offset
        done += describe_repair(*place, f"{name}_{direction}", before, scale)
    return TemplatePair(**sides, errors=variation.errors), done
