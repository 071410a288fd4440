"""Add the datasets' histograms and fill the sample estimated from data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hist

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.estimates.registry import add_divided, read_estimate
from taipan.events.variations import template_variations
from taipan.normalisation import from_dict
from taipan.templates.band import control_variations
from taipan.templates.build import add_parts, collect_errors, take_from_data
from taipan.templates.combine import (
    add_pseudo_data,
    check_variations,
    check_yields,
    list_yields,
)
from taipan.templates.edges import apply_edges
from taipan.templates.members import add_members
from taipan.templates.store import read_histograms, write_histograms


def combine_templates(
    observables: Sequence[str],
    control_plots: Sequence[str],
    transfer_factor: str,
    edges: str | None,
    config: Config,
    templates: str,
    control: str,
    residuals: str,
    has_data: bool = True,
    normalisation: str | None = None,
) -> None:
    """Write the templates, the control histograms and the control residuals.

    Parameters
    ----------
    observables, control_plots
        Files of the rule ``histogram``, one for each dataset.
    transfer_factor
        JSON file of the rule ``measure_transfer_factor``.
    edges
        JSON file of the rule ``optimise_binning``; None: the edges of the configuration.
    config
        Sections `samples`, `regions`, `observables`, `control_plots` and `systematics`.
    templates, control
        Histogram files to write.
    residuals
        JSON file to write: the control residuals that were measured.
    has_data
        False: what the nominal simulation expects stands for the data.
    normalisation
        JSON file of the rule ``normalise``, where systematics of generator weights need it.
    """
    variations = template_variations(config.systematics, config.samples)
    estimate = read_estimate(config.samples, read_json(transfer_factor))
    results: dict[str, Any] = {}
    records: dict[str, Any] = {}
    errors: dict[str, hist.Hist] = {}
    binned = apply_edges(config.observables, config.regions, edges)
    for output, paths, defined, varied in (
        (templates, observables, binned, variations),
        (control, control_plots, config.control_plots, control_variations(variations)),
    ):
        parts = [read_histograms(path) for path in paths]
        total = add_parts(parts, config, defined, varied)
        if normalisation is not None and output == templates:
            norms = from_dict(read_json(normalisation))
            total = add_members(total, parts, config, varied, norms)
        if not has_data:
            total = {name: add_pseudo_data(item, config.samples) for name, item in total.items()}
        if output == templates:
            errors = collect_errors(parts, config, defined, varied, total, estimate)
        results[output], found = take_from_data(total, config, varied, estimate)
        records |= found
    filled = dict(results[templates])
    yields = list_yields(next(iter(filled.values())))
    check_yields(yields, config.samples, config.regions)
    regions = add_divided(config.regions, config.samples)
    check_variations(filled, config.samples, regions, variations)
    results[templates] |= errors
    for output, histograms in results.items():
        write_histograms(output, histograms)
    write_json(residuals, records)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(combine_templates)
