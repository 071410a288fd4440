"""From events to templates in three steps: plan what is filled, add up, take from data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hist

from taipan.analysis import Analysis
from taipan.config.model import Config
from taipan.config.sections.observables import Observable
from taipan.config.sections.region_bins import own_histograms
from taipan.estimates.registry import (
    MeasuredEstimate,
    add_divided,
    counted_planes,
    filled_places,
    list_cross_checks,
)
from taipan.events.corrections import read_corrections
from taipan.events.variations import Variation, template_variations
from taipan.labels import DATA, NOMINAL, name_shifts
from taipan.templates.combine import add_datasets, add_estimate
from taipan.templates.empty import FillSettings
from taipan.templates.residual import add_residuals
from taipan.templates.shifts import add_estimated, add_independent, add_shifts


def plan_filling(
    config: Config,
    analysis: Analysis,
    shapes: Path | str,
    observables: Mapping[str, Observable],
    control_plots: Mapping[str, Observable] | None = None,
) -> FillSettings:
    """Say what is filled: samples, regions, observables, and all variations of events.

    Parameters
    ----------
    config
        Sections `samples`, `regions`, `features`, `systematics` and `weights`.
    analysis
        Gives the quantities.
    shapes
        JSON file of the rule ``measure_shapes``.
    observables, control_plots
        What is filled with every variation: fitted and control quantities.
    """
    return FillSettings(
        config.samples,
        add_divided(config.regions, config.samples),
        config.features,
        observables,
        control_plots or {},
        template_variations(config.systematics, config.samples),
        read_corrections(config.weights, analysis.quantities, shapes),
        _filled_places(config, observables),
    )


def _filled_places(config: Config, observables: Mapping[str, Observable]) -> dict[str, set[str]]:
    """Give the only regions in which a histogram with bins of one region is needed."""
    sources = dict(filled_places(config.samples))
    for method in list_cross_checks(config.samples).values():
        for place in method.sources:
            sources[place] = (*sources.get(place, ()), *method.filled_in(place))
    for region, plane in counted_planes(config.samples).items():
        more = (plane.numerator, plane.denominator)
        sources[region] = (*sources.get(region, ()), *more)
    control = {
        item.measured_in for item in config.systematics.values() if item.measured_in is not None
    }
    found = {}
    for name, (_, region) in own_histograms(observables, config.regions, optimised=True).items():
        near = {region, *control}
        found[name] = near.union(*(sources.get(place, ()) for place in near))
    return found


def add_parts(
    parts: Sequence[Mapping[str, hist.Hist]],
    config: Config,
    observables: Mapping[str, Observable],
    variations: Sequence[Variation],
) -> dict[str, hist.Hist]:
    """Add up what was filled for each dataset; arguments as of :func:`plan_filling`.

    Returns
    -------
    dict
        Observable → histogram with axes (process, region, variation, observable).
    """
    labels = [NOMINAL, *(variation.name for variation in variations)]
    processes = [*config.samples, DATA]
    regions = list(add_divided(config.regions, config.samples))
    return add_datasets(parts, observables, processes, regions, labels)


def collect_errors(
    parts: Sequence[Mapping[str, hist.Hist]],
    config: Config,
    observables: Mapping[str, Observable],
    variations: Sequence[Variation],
    total: Mapping[str, hist.Hist],
    estimate: MeasuredEstimate | None,
) -> dict[str, hist.Hist]:
    """Add up the errors of the shifts of each dataset.

    Parameters
    ----------
    parts
        What was filled for each dataset.
    config, observables, variations
        As of :func:`add_parts`.
    total
        Templates of :func:`add_parts`.
    estimate
        As of :func:`take_from_data`.

    Returns
    -------
    dict
        Name of the histogram → covariances (:mod:`taipan.templates.shifts`).
    """
    names = [variation.name for variation in variations]
    processes = [*config.samples, DATA]
    regions = list(add_divided(config.regions, config.samples))
    found = add_shifts(parts, observables, processes, regions, names)
    for observable, histogram in total.items():
        if name_shifts(observable) in found:
            errors = found[name_shifts(observable)]
            add_independent(errors, histogram, variations, config.samples)
            if estimate is not None:
                add_estimated(errors, variations, config, estimate)
    return found


def take_from_data(
    total: Mapping[str, hist.Hist],
    config: Config,
    variations: Sequence[Variation],
    estimate: MeasuredEstimate | None,
) -> tuple[dict[str, hist.Hist], dict[str, Any]]:
    """Add what is taken from data: control residuals, then the sample that is estimated.

    Parameters
    ----------
    total
        Of :func:`add_parts`; not changed.
    config
        Sections `samples` and `regions`.
    variations
        Of the systematics.
    estimate
        What was measured for the sample, None if all are simulated.

    Returns
    -------
    templates, residuals
        Observable → histogram; records of the control residuals.
    """
    regions = add_divided(config.regions, config.samples)
    filled, records = add_residuals(total, config.samples, regions, variations, estimate)
    templates = {
        name: add_estimate(item, config.samples, regions, variations, estimate)
        for name, item in filled.items()
    }
    return templates, records
