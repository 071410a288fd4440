"""Merging of histogram bins that a Poisson likelihood cannot use.

A bin whose total prediction is negative, empty or statistically meaningless makes the likelihood
undefined or its asymptotic formulae wrong. Such bins are merged with a neighbour: contents and Σw²
are added, nothing is clipped, and every change is recorded. What a variation does is no reason to
merge: a variation that makes a sample negative is repaired (:mod:`taipan.likelihood.repair`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.bin_statistics import MAX_CANCELLED, NEGLIGIBLE
from taipan.errors import TaipanError
from taipan.metrics import n_eff_of_sums

Array = npt.NDArray[np.float64]

# A statistical parameter multiplies the yield and ends at 10. Weights of both signs can cancel to a
# yield that no such factor can vary by its own uncertainty: 10 = 1 + 9σ, and σ² = 1/n_eff.
SMALLEST_SIGNAL_N_EFF = 1.0 / 81.0


class MergeError(TaipanError):
    """A region whose templates no merging can make usable."""


@dataclass(frozen=True)
class BinYields:
    """Yields of one sample.

    Attributes
    ----------
    values
        Σw per bin, shape ``(n_bins,)``.
    variances
        Σw² per bin, shape ``(n_bins,)``.
    """

    values: Array
    variances: Array


@dataclass(frozen=True)
class MergedBin:
    """One bin made of several.

    Attributes
    ----------
    bins
        Indices of the original bins.
    low, high
        Edges of the merged bin, in the observable's unit.
    reasons
        Why the parts could not stay as they were.
    """

    bins: tuple[int, ...]
    low: float
    high: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Merging:
    """How the bins of one region were merged.

    Attributes
    ----------
    region
        Name of the region.
    edges_before, edges_after
        Bin edges in the observable's unit.
    starts
        First original bin of each merged bin, increasing; the argument of :func:`merge_values`.
    merged
        The bins that are made of more than one original bin.
    warnings
        What merging could not mend.
    """

    region: str
    edges_before: tuple[float, ...]
    edges_after: tuple[float, ...]
    starts: tuple[int, ...]
    merged: tuple[MergedBin, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Give a dictionary of plain lists, numbers and strings."""
        record = asdict(self)
        record["merged"] = [
            {key: list(value) if isinstance(value, tuple) else value for key, value in bin_.items()}
            for bin_ in record["merged"]
        ]
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in record.items()
        }


def merge_values(values: npt.ArrayLike, starts: Sequence[int]) -> Array:
    """Add up bins (last axis) into merged bins.

    Parameters
    ----------
    values
        Bin contents (Σw or Σw²), shape ``(..., n_bins)``.
    starts
        First original bin of each merged bin; the first one is 0.

    Returns
    -------
    Array
        Shape ``(..., len(starts))``.
    """
    contents = np.asarray(values, dtype=np.float64)
    return np.asarray(np.add.reduceat(contents, np.asarray(starts, dtype=np.intp), axis=-1))


def take_bins(region: str, edges: Sequence[float], starts: Sequence[int]) -> Merging:
    """Merge bins as they were somewhere else; `starts` is the first of each merged bin."""
    kept = [float(edges[i]) for i in (*starts, len(edges) - 1)]
    return Merging(region, tuple(float(edge) for edge in edges), tuple(kept), tuple(starts))


def find_merging(
    region: str,
    edges: Sequence[float],
    nominal: Mapping[str, BinYields],
    *,
    backgrounds: Sequence[str],
    min_effective_events: float,
    single_bin: bool = False,
    not_negative: Collection[str] = (),
    subtracted: Mapping[str, BinYields] | None = None,
) -> Merging:
    """Choose which neighbouring bins to merge so that each bin can be fitted.

    Every merged bin has a positive total background, at least `min_effective_events` effective
    background events, and no total signal that is negative or cancels to zero while its Σw² does
    not. A single sample may be negative, unless `not_negative` names it. Bins are closed
    greedily from the upper edge of the observable downwards: a network's score puts the signal
    there, so a bin that passes alone stays as it is, and one that fails takes in its neighbour
    towards the background-like end, where bins are many and carry little information. What is
    left at the lower end joins the last closed bin. For criteria that improve as bins grow this is
    also the partition with the largest number of bins.

    Parameters
    ----------
    region
        Name of the region, for messages.
    edges
        Bin edges, strictly increasing, ``n_bins + 1`` of them.
    nominal
        Sample → nominal yields.
    backgrounds
        Samples that make up the background.
    min_effective_events
        Smallest (Σw)²/Σw² of the summed background.
    single_bin
        Merge everything into one bin (regions that are fitted as a yield).
    not_negative
        Samples whose negative bins are merged, too.
    subtracted
        Simulated sample → what an estimate subtracts of it, in the same units.

    Returns
    -------
    Merging
        The bins and why they were merged.

    Raises
    ------
    MergeError
        If the region has no events, or its total background is not positive.
    """
    if not any(np.any(counts.variances > 0) for counts in nominal.values()):
        raise MergeError(f"region {region}: no simulated or estimated event is left in it")
    total = sum((nominal[name].values.sum() for name in backgrounds if name in nominal), 0.0)
    if total <= 0:
        raise MergeError(
            f"region {region}: the total background is {total:.6g}, it must be positive "
            f"(samples {', '.join(backgrounds)})"
        )
    checker = _Checker(
        nominal,
        tuple(backgrounds),
        min_effective_events,
        frozenset(not_negative),
        subtracted or {},
    )
    n_bins = len(edges) - 1
    if single_bin:
        starts: list[int] = [0]
        reasons: dict[int, list[str]] = {0: ["fitted as a yield"] if n_bins > 1 else []}
    else:
        starts, reasons = _close_bins_downwards(n_bins, checker)
    warnings = [
        f"region {region}: {problem} even with all bins merged"
        for problem in (checker.problems(0, n_bins) if len(starts) == 1 else ())
    ]
    stops = [*starts[1:], n_bins]
    return Merging(
        region=region,
        edges_before=tuple(float(edge) for edge in edges),
        edges_after=tuple(float(edges[index]) for index in [*starts, n_bins]),
        starts=tuple(starts),
        merged=tuple(
            MergedBin(
                tuple(range(start, stop)),
                float(edges[start]),
                float(edges[stop]),
                tuple(reasons[start]),
            )
            for start, stop in zip(starts, stops, strict=True)
            if stop - start > 1
        ),
        warnings=tuple(warnings),
    )


@dataclass(frozen=True)
class _Checker:
    """The criteria a bin must meet."""

    nominal: Mapping[str, BinYields]
    backgrounds: tuple[str, ...]
    min_effective_events: float
    not_negative: frozenset[str]
    subtracted: Mapping[str, BinYields]

    def problems(self, start: int, stop: int) -> list[str]:
        """Say what is wrong with the sum of bins ``start`` to ``stop - 1``."""
        found = []
        for name, counts in self.nominal.items():
            content = counts.values[start:stop].sum()
            if content < 0 and name in self.not_negative:
                found.append(f"{name} is {content:.4g}")
        members = [self.nominal[name] for name in self.backgrounds if name in self.nominal]
        background = np.array(sum(counts.values[start:stop].sum() for counts in members))
        variance = np.array(sum(counts.variances[start:stop].sum() for counts in members))
        n_eff = float(n_eff_of_sums(background, variance))
        if background <= 0:
            found.append(f"total background is {float(background):.4g}")
        elif n_eff < self.min_effective_events:
            found.append(f"background n_eff is {n_eff:.4g} < {self.min_effective_events:g}")
        signals = [item for name, item in self.nominal.items() if name not in self.backgrounds]
        value = float(sum(counts.values[start:stop].sum() for counts in signals))
        squares = float(sum(counts.variances[start:stop].sum() for counts in signals))
        if max(value, 0.0) ** 2 < SMALLEST_SIGNAL_N_EFF * squares:
            found.append(f"total signal is {value:.4g} with Σw² = {squares:.4g}")
        elif (taken := self._subtracted_signal(start, stop)) > 0.0:
            # one factor multiplies the signal and what is subtracted of it
            everything = sum(counts.values[start:stop].sum() for counts in self.nominal.values())
            error = squares**0.5 if squares > NEGLIGIBLE**2 * everything else 0.0
            if abs(value - taken) * MAX_CANCELLED < error:
                found.append(f"signal less what is subtracted of it is {value - taken:.4g}")
        return found

    def _subtracted_signal(self, start: int, stop: int) -> float:
        """Sum what an estimate subtracts of the signals."""
        return float(
            sum(
                item.values[start:stop].sum()
                for name, item in self.subtracted.items()
                if name not in self.backgrounds
            )
        )


def _close_bins_downwards(n_bins: int, checker: _Checker) -> tuple[list[int], dict[int, list[str]]]:
    """Give the first bin of each merged bin, and per merged bin the problems met on the way."""
    starts: list[int] = []
    reasons: dict[int, list[str]] = {}
    stop = n_bins
    pending: list[str] = []
    for start in range(n_bins - 1, -1, -1):
        problems = checker.problems(start, stop)
        if problems:
            pending += [f"bins {start}-{stop - 1}: {problem}" for problem in problems]
            continue
        starts.insert(0, start)
        reasons[start] = pending
        stop, pending = start, []
    # The remainder at the lower end, if any, is joined with closed bins until the sum passes.
    while stop > 0 and starts:
        joined = starts.pop(0)
        pending = [*reasons.pop(joined), *pending]
        end = starts[0] if starts else n_bins
        problems = checker.problems(0, end)
        if problems and starts:
            pending += [f"bins 0-{end - 1}: {problem}" for problem in problems]
            continue
        starts.insert(0, 0)
        reasons[0] = pending
        stop = 0
    if not starts:
        return [0], {0: pending}
    return starts, reasons
