"""Regions and samples of events."""

from __future__ import annotations

from collections.abc import Mapping
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
