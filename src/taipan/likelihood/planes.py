"""The regions B, C and D of an estimate as channels of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from taipan.config.model import Config
from taipan.estimates.registry import MeasuredEstimate, filled_places
from taipan.events.variations import with_sources
from taipan.labels import DATA, Sides
from taipan.likelihood.counted import (
    FreeYields,
    free_in_plane,
    free_in_region,
    list_places,
    single_bin,
)
from taipan.likelihood.merge import Merging, merge_values
from taipan.likelihood.table import Table, make_template_pair
from taipan.likelihood.templates import (
    RegionTemplates,
    acts_in,
    list_shifted,
    merge_counts,
    merge_variations,
)


def add_planes(
    found: Sequence[RegionTemplates],
    table: Table,
    own: Mapping[str, Table],
    config: Config,
    estimate: MeasuredEstimate | None,
) -> list[RegionTemplates]:
    """Free the yields of the estimated sample, and add the regions that count it.

    Parameters
    ----------
    found, table, own, config, estimate
        Result and arguments of :func:`taipan.likelihood.templates.collect_regions`.
    """
    if estimate is None or not estimate.method.counted:
        return list(found)
    shifted = list_shifted(table, config)
    tables = {item.region: own.get(item.region, table) for item in found}
    changed: list[RegionTemplates] = []
    extra: list[RegionTemplates] = []
    for item in found:
        plane = estimate.method.counted.get(item.region)
        if plane is None:
            changed.append(item)
            continue
        table, starts = tables[item.region], item.merging.starts
        free = free_in_region(table, estimate, item.region, starts)
        nominal = {name: counts for name, counts in item.nominal.items() if name != free.sample}
        empty: dict[str, Any] = {"estimated": None, "subtracted": {}, "subtracted_varied": {}}
        changed.append(replace(item, nominal=nominal, free=free, parts=(), **empty))
        for place in list_places(plane, [known.region for known in extra]):
            merging = replace(item.merging, region=place, merged=(), warnings=())
            if place != plane.source:
                merging = single_bin(place, table.edges)
            free = free_in_plane(table, estimate, item.region, place, merging.starts)
            extra.append(_collect_counted(table, config, place, shifted, merging, free))
    return [*changed, *extra]


def _collect_counted(
    table: Table,
    config: Config,
    place: str,
    shifted: Mapping[str, Mapping[str, Sides]],
    merging: Merging,
    free: FreeYields,
) -> RegionTemplates:
    """Collect the simulation and the data of a region that counts an estimated sample."""
    nominal = {
        name: counts
        for name, item in config.samples.items()
        if item.is_simulated and np.any((counts := table.counts(name, place)).variances > 0)
    }
    sources = filled_places(config.samples)
    varied = {
        (name, sample): make_template_pair(table, name, sample, place, sides)
        for name, samples in shifted.items()
        if acts_in(with_sources(config.systematics[name], sources), place)
        for sample, sides in samples.items()
        if sample in nominal
    }
    return RegionTemplates(
        region=place,
        nominal=merge_counts(nominal, merging.starts),
        varied=merge_variations(varied, merging.starts),
        data=merge_values(table.counts(DATA, place).values, merging.starts),
        merging=merging,
        free=free,
    )
