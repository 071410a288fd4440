"""Histograms as arrays, and the templates of variations made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import hist
import numpy as np
import numpy.typing as npt

from taipan.labels import NOMINAL, Sides
from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.merge import BinYields, merge_values
from taipan.likelihood.smooth import find_signal_fraction

Array = npt.NDArray[np.float64]

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
    shifts
        Covariances of the difference between each varied and the nominal template; None if they
        were not filled.
    """

    processes: Mapping[str, int]
    regions: Mapping[str, int]
    variations: Mapping[str, int]
    edges: tuple[float, ...]
    values: Array
    variances: Array
    shifts: ShiftErrors | None = None

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
class ShiftErrors:
    """How far chance moves the differences of varied templates.

    Attributes
    ----------
    processes, regions, variations
        Position of each category on its axis.
    covariances
        Shape ``(process, region, variation, n_bins, n_bins)``; zero where none was filled.
    """

    processes: Mapping[str, int]
    regions: Mapping[str, int]
    variations: Mapping[str, int]
    covariances: Array

    def find(self, process: str, region: str, variation: str) -> Array:
        """Give the covariance of one difference, shape ``(n_bins, n_bins)``."""
        index = self.processes[process], self.regions[region], self.variations[variation]
        return np.asarray(self.covariances[index])


@dataclass(frozen=True)
class TemplatePair:
    """A template at ±1σ of a systematic.

    Attributes
    ----------
    up, down
        Shape ``(n_bins,)``.
    errors
        Covariances of the differences of `up` and `down` to the nominal template, shape
        ``(2, n_bins, n_bins)``; None if they are not known.
    """

    up: Array
    down: Array
    errors: Array | None = None

    def merge(self, starts: Sequence[int]) -> TemplatePair:
        """Merge bins; `starts` is the first of each merged bin."""
        errors = self.errors
        if errors is not None:
            errors = merge_values(np.swapaxes(merge_values(errors, starts), 1, 2), starts)
        return TemplatePair(merge_values(self.up, starts), merge_values(self.down, starts), errors)

    def scale(self, factor: float) -> TemplatePair:
        """Multiply both templates, and their differences, by a factor."""
        errors = None if self.errors is None else factor**2 * self.errors
        return TemplatePair(factor * self.up, factor * self.down, errors)

    def add(self, other: TemplatePair) -> TemplatePair:
        """Add the templates of other events."""
        return TemplatePair(
            self.up + other.up, self.down + other.down, sum_errors(self.errors, other.errors)
        )


def sum_errors(first: Array | None, second: Array | None) -> Array | None:
    """Add covariances of independent differences; unknown if one of them is."""
    return None if first is None or second is None else first + second


def read_table(histogram: hist.Hist, observable: str, shifts: hist.Hist | None = None) -> Table:
    """Turn a histogram into arrays with under- and overflow folded into the edge bins.

    Parameters
    ----------
    histogram
        Weight storage; category axes ``process``, ``region``, ``variation``, then the observable.
    observable
        Name of the last axis.
    shifts
        Covariances of the differences (:mod:`taipan.templates.shifts`), if they were filled.

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
        shifts=None if shifts is None else _read_shifts(shifts),
    )


def _read_shifts(histogram: hist.Hist) -> ShiftErrors:
    categories = histogram.axes[:3]
    inner = tuple(slice(0, len(axis)) for axis in categories)
    traits = histogram.axes[3].traits
    sides = traits.underflow, traits.overflow
    rows = _fold(histogram.view(flow=True)[inner], *sides)
    positions = [{str(label): i for i, label in enumerate(axis)} for axis in categories]
    covariances = _fold(np.swapaxes(rows, -1, -2), *sides)
    return ShiftErrors(positions[0], positions[1], positions[2], covariances)


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
    """Make the templates at ±1σ of those filled.

    The error of half a difference is that of independent shifts up and down, an upper bound: an
    event that leaves a bin in both counts twice. That of what both have in common is at most the
    mean of the two. ``denoised`` templates keep of the latter what is more than noise, as smoothing
    does (:func:`~taipan.likelihood.smooth.find_signal_fraction`).
    """
    nominal = table.counts(sample, region).values
    up = table.counts(sample, region, f"{name}_up").values
    if sides == "mirrored":
        errors = _find_errors(table, sample, region, f"{name}_up", f"{name}_up")
        return TemplatePair(up, 2.0 * nominal - up, errors)
    down = table.counts(sample, region, f"{name}_down").values
    errors = _find_errors(table, sample, region, f"{name}_up", f"{name}_down")
    if sides == "both":
        return TemplatePair(up, down, errors)
    half, common = 0.5 * (up - down), np.zeros(len(up))
    if errors is not None:
        noise = 0.5 * errors.sum(axis=0)
        errors = np.broadcast_to(0.5 * noise, errors.shape)
        if sides == "denoised":
            common = 0.5 * (up + down) - nominal
            variances = table.counts(sample, region).variances
            known = np.divide(1.0, variances, out=np.zeros(len(up)), where=variances > 0)
            # no smooth curve: all of it may be noise
            kept = find_signal_fraction(common, np.zeros(noise.shape), noise, known)
            common, errors = kept * common, errors + kept**2 * noise
    return TemplatePair(nominal + common + half, nominal + common - half, errors)


def _find_errors(table: Table, sample: str, region: str, *labels: str) -> Array | None:
    """Give the covariances of two differences; None if there are none for one that changes."""
    if table.shifts is None or any(label not in table.shifts.variations for label in labels):
        return None
    nominal = table.counts(sample, region)
    found = []
    for label in labels:
        covariance = table.shifts.find(sample, region, label)
        change = largest_change(nominal.values, table.counts(sample, region, label).values)
        if not covariance.any() and change > SMALLEST_CHANGE:
            return None
        found.append(covariance)
    return np.stack(found)


def plain(values: Array | Sequence[float]) -> list[float]:
    """Give numbers that JSON can hold."""
    return [float(value) for value in values]


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
