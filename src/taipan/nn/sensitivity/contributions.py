"""Which events of a dataset are added to which sample of the fit, and which ones a shift moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Columns
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.load import DatasetEvents
from taipan.events.selection import belongs_to, region_masks, sample_masks
from taipan.labels import DATA

Array = NDArray[Any]
Definitions = tuple[Mapping[str, Sample], Mapping[str, Region]]
"""Samples and regions by name."""


@dataclass(frozen=True)
class Contribution:
    """Events of a dataset that are added to a sample in a fitted region.

    Attributes
    ----------
    shown, own
        Sample to which they are added, and simulated sample that they are from (or `data`).
    place
        Region in which they are: the fitted one, or the source of an estimate there.
    mask
        Shape (n,), which events.
    factor
        Shape (n,), what the weight of an event is multiplied by.
    """

    shown: str
    own: str
    place: str
    mask: Array
    factor: Array


def list_contributions(
    events: DatasetEvents,
    quantities: Mapping[str, Array],
    region: str,
    definitions: Definitions,
    estimate: MeasuredEstimate | None,
) -> Iterator[Contribution]:
    """Yield what the events of a dataset are added to in a fitted region.

    Parameters
    ----------
    events
        A dataset.
    quantities
        Quantity → value of each event, shape (n,); those after a shift have other n.
    region
        Fitted region.
    definitions
        Samples and regions.
    estimate
        Estimate of a sample from data, None if all are simulated.
    """
    samples, regions = definitions
    source = None if estimate is None else estimate.source(region)
    used = {name: regions[name] for name in (region, source) if name is not None}
    masks = region_masks(quantities, used)
    ones = np.ones(len(quantities["passes"]))
    factor = ones if estimate is None or source is None else estimate.weigh(region, quantities)
    if events.is_data:
        if estimate is not None and source is not None:
            yield Contribution(estimate.sample, DATA, source, masks[source], factor)
        return
    for name, chosen in sample_masks(quantities, samples, events.name).items():
        if belongs_to(samples[name], region, regions):
            yield Contribution(name, name, region, chosen & masks[region], ones)
        if estimate is not None and source is not None:
            mask = chosen & masks[source]
            yield Contribution(estimate.sample, name, source, mask, -factor)


def find_moved(columns: Columns, shifted: Columns) -> Array:
    """Give the places of the events that a shift has changed."""
    changed = np.zeros(len(columns["event_hash"]), dtype=bool)
    for name, values in shifted.items():
        before = columns[name]
        if values is not before:
            differ = (values != before) & ~(np.isnan(values) & np.isnan(before))
            changed |= differ.reshape(len(changed), -1).any(axis=1)
    return np.flatnonzero(changed)
