"""Regions and samples of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.columns.expressions import parse_expression
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample

Array = NDArray[Any]


def region_masks(
    quantities: Mapping[str, Array], regions: Mapping[str, Region]
) -> dict[str, Array]:
    """Mask of the events in each region.

    Parameters
    ----------
    quantities
        Quantity → array of shape (n,), with ``passes``.
    regions
        Definitions.

    Returns
    -------
    dict
        Region → bool array of shape (n,).
    """
    passes = quantities["passes"]
    return {
        name: passes & parse_expression(region.cut).evaluate(quantities).astype(bool)
        for name, region in regions.items()
    }


def reach_masks(
    quantities: Mapping[str, Array], regions: Mapping[str, Region], is_late: Callable[[str], bool]
) -> dict[str, Array]:
    """Mask of the events that may be in each region, whatever their scores.

    Parameters
    ----------
    quantities, regions
        As of :func:`region_masks`; the scores need not be there.
    is_late
        Tells whether a quantity is one that is known only with the scores; parts of a cut with
        such a quantity are left out.
    """
    passes, found = quantities["passes"], {}
    for name, region in regions.items():
        cut = parse_expression(region.cut)
        if not any(map(is_late, cut.names)):
            found[name] = passes & cut.evaluate(quantities).astype(bool)
            continue
        parts = [part for part in cut.conjuncts() if not any(map(is_late, part.names))]
        masks = [part.evaluate(quantities).astype(bool) for part in parts]
        found[name] = np.logical_and.reduce([passes, *masks])
    return found


def late_regions(
    regions: Mapping[str, Region], is_late: Callable[[str], bool]
) -> dict[str, Region]:
    """Choose the regions whose cuts need a score."""
    return {
        name: region
        for name, region in regions.items()
        if any(map(is_late, parse_expression(region.cut).names))
    }


def early_regions(
    regions: Mapping[str, Region], is_late: Callable[[str], bool]
) -> dict[str, Region]:
    """Choose the regions that are known before any network is asked."""
    late = late_regions(regions, is_late)
    return {name: region for name, region in regions.items() if name not in late}


def belongs_to(sample: Sample, region: str, regions: Mapping[str, Region]) -> bool:
    """Tell whether a sample counts in a region: everywhere, but of fitted regions as it says."""
    confined = sample.regions is not None and regions[region].role != "estimate"
    return not confined or region in (sample.regions or ())


def sample_masks(
    quantities: Mapping[str, Array], samples: Mapping[str, Sample], dataset: str
) -> dict[str, Array]:
    """Mask of the events of a dataset that belong to each simulated sample using it.

    Returns
    -------
    dict
        Sample → bool array of shape (n,), for the samples that list `dataset`.
    """
    everything = np.ones(len(quantities["passes"]), dtype=bool)
    return {
        name: everything
        if sample.select is None
        else parse_expression(sample.select).evaluate(quantities).astype(bool)
        for name, sample in samples.items()
        if dataset in sample.datasets
    }
