"""Histograms as arrays, and the templates of variations made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import hist
import numpy as np
import numpy.typing as npt

from taipan.labels import NOMINAL
from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.merge import BinYields

Array = npt.NDArray[np.float64]
Sides = Literal["both", "mirrored", "averaged"]
"""Two templates as filled; the up template mirrored onto down; ± half their difference."""

# Relative differences below this are floating-point noise of sums taken in another order.
SMALLEST_CHANGE = 1e-9


@dataclass(frozen=True)
class Table:
    """A histogram as arrays, flow bins folded into the edge bins.

    Attributes
    ----------
    processes, regions, variations
        Position of each category on its axis.
    edges
        Bin edges of the observable, ``n_bins + 1``.
    values, variances
        Σw and Σw², shape ``(process, region, variation, n_bins)``.
    """

    processes: Mapping[str, int]
    regions: Mapping[str, int]
    variations: Mapping[str, int]
    edges: tuple[float, ...]
    values: Array
    variances: Array

    def counts(self, process: str, region: str, variation: str = NOMINAL) -> BinYields:
        """Give the yields of one template."""
        index = (self.processes[process], self.regions[region], self.variations[variation])
        return BinYields(self.values[index], self.variances[index])

    def is_filled(self, process: str, variation: str) -> bool:
        """Tell whether the template has an entry in any region."""
        if variation not in self.variations:
            return False
        index = (self.processes[process], slice(None), self.variations[variation])
        return bool(np.any(self.variances[index] > 0))


@dataclass(frozen=True)
class TemplatePair:
    """A template at ±1σ of a systematic; shape ``(n_bins,)`` each."""

    up: Array
    down: Array


def read_table(histogram: hist.Hist, observable: str) -> Table:
    """Turn a histogram into arrays with under- and overflow folded into the edge bins.

    Parameters
    ----------
    histogram
        Weight storage; category axes ``process``, ``region``, ``variation``, then the observable.
    observable
        Name of the last axis.

    Returns
    -------
    Table
        New arrays; Σw and Σw² including flow are conserved.

    Raises
    ------
    LikelihoodError
        If the axes or the storage are not as described.
    """
    names = [axis.name for axis in histogram.axes]
    expected = ["process", "region", "variation", observable]
    if names != expected:
        raise LikelihoodError(f"histogram of {observable}: axes are {names}, expected {expected}")
    if not isinstance(histogram.storage_type(), hist.storage.Weight):
        raise LikelihoodError(
            f"histogram of {observable}: storage is {histogram.storage_type.__name__}, "
            "expected Weight"
        )
    categories = histogram.axes[:3]
    inner = tuple(slice(0, len(axis)) for axis in categories)
    view = histogram.view(flow=True)[inner]
    traits = histogram.axes[3].traits
    positions = [{str(label): i for i, label in enumerate(axis)} for axis in categories]
    return Table(
        processes=positions[0],
        regions=positions[1],
        variations=positions[2],
        edges=tuple(float(edge) for edge in histogram.axes[3].edges),
        values=_fold(view["value"], traits.underflow, traits.overflow),
        variances=_fold(view["variance"], traits.underflow, traits.overflow),
    )


def largest_change(nominal: Array, varied: Array) -> float:
    """Largest change of a bin relative to its nominal yield (infinite if that is zero)."""
    difference = np.abs(varied - nominal)
    scale = np.abs(nominal)
    relative = np.divide(
        difference, scale, out=np.where(difference > 0, np.inf, 0.0), where=scale > 0
    )
    return float(relative.max())


def make_template_pair(
    table: Table, name: str, sample: str, region: str, sides: Sides
) -> TemplatePair:
    """Make the templates at ±1σ of those filled."""
    nominal = table.counts(sample, region).values
    up = table.counts(sample, region, f"{name}_up").values
    if sides == "mirrored":
        return TemplatePair(up, 2.0 * nominal - up)
    down = table.counts(sample, region, f"{name}_down").values
    if sides == "both":
        return TemplatePair(up, down)
    half = 0.5 * (up - down)
    return TemplatePair(nominal + half, nominal - half)


def _fold(contents: npt.ArrayLike, underflow: bool, overflow: bool) -> Array:
    array = np.asarray(contents, dtype=np.float64)
    n_bins = array.shape[-1] - int(underflow) - int(overflow)
    first = int(underflow)
    folded = array[..., first : first + n_bins].copy()
    if underflow:
        folded[..., 0] += array[..., 0]
    if overflow:
        folded[..., -1] += array[..., -1]
    return folded
