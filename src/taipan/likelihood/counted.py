"""Regions of an estimate whose counts are fitted together with the region that it is for.

The sample has a free number of events in each bin of B, the same times a free ratio in A, and that
ratio times a free number in C of which D has the number itself: q_i, r q_i, r q_D and q_D.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taipan.estimates.base import CountedPlane, name_yield
from taipan.estimates.registry import MeasuredEstimate
from taipan.labels import DATA
from taipan.likelihood.merge import Merging, merge_values
from taipan.likelihood.table import Table

Array = npt.NDArray[np.float64]

SMALLEST_START = 1.0
"""Events at which a free yield starts, where data are below the simulation: it may reach ten."""


@dataclass(frozen=True)
class FreeYields:
    """A sample whose yields in a region are free.

    Attributes
    ----------
    sample
        Its name.
    values
        Where the fit starts, shape ``(n_bins,)``.
    per_bin
        Parameters with one value a bin; empty for none.
    scales
        Parameters that multiply all bins.
    constrained
        Parameter → relative size of further uncertainties.
    is_result
        Whether it is the region that the estimate is for: the rates of the sample act there.
    """

    sample: str
    values: Array
    per_bin: str = ""
    scales: tuple[str, ...] = ()
    constrained: Mapping[str, float] | None = None
    is_result: bool = False


def free_in_region(
    table: Table, estimate: MeasuredEstimate, region: str, starts: Sequence[int]
) -> FreeYields:
    """Give the sample in a region A: the events of B times the ratio."""
    plane = estimate.method.counted[region]
    (part,) = estimate.parts(region)
    others = {name: item.size for name, item in part.changes.items() if name != plane.ratio}
    return FreeYields(
        estimate.sample,
        part.factor * start_yields(table, estimate, plane.source, starts),
        name_yield(plane.source),
        (plane.ratio,),
        others,
        True,
    )


def free_in_plane(
    table: Table,
    estimate: MeasuredEstimate,
    region: str,
    place: str,
    starts: Sequence[int],
) -> FreeYields:
    """Give the sample in the region B, C or D of the plane of a region A."""
    plane = estimate.method.counted[region]
    if place == plane.source:
        values = start_yields(table, estimate, place, starts)
        return FreeYields(estimate.sample, values, name_yield(place))
    below = start_yields(table, estimate, plane.denominator, starts)
    scale = name_yield(plane.denominator)
    if place == plane.denominator:
        return FreeYields(estimate.sample, below, "", (scale,))
    return FreeYields(estimate.sample, estimate.factor(region) * below, "", (scale, plane.ratio))


def list_places(plane: CountedPlane, done: Sequence[str]) -> list[str]:
    """List the regions of a plane that have no channel yet."""
    places = (plane.source, plane.numerator, plane.denominator)
    return [name for name in places if name not in done]


def single_bin(region: str, edges: Sequence[float]) -> Merging:
    """Put all events of a region in one bin."""
    return Merging(region, tuple(edges), (edges[0], edges[-1]), (0,))


def start_yields(
    table: Table,
    estimate: MeasuredEstimate,
    place: str,
    starts: Sequence[int],
    least: float = SMALLEST_START,
) -> Array:
    """Give data minus simulation of a region in merged bins, `least` at least."""
    values = table.counts(DATA, place).values - sum(
        table.counts(name, place).values
        for name in table.processes
        if name not in (DATA, estimate.sample)
    )
    return np.maximum(merge_values(values, starts), least)
