"""Add the datasets' histograms and estimate QCD."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json, write_json
from taipan.config.slices import restore_slice
from taipan.events.variations import NOMINAL, template_variations
from taipan.templates.combine import (
    add_datasets,
    add_same_sign,
    check_variations,
    check_yields,
    list_yields,
    read_transfer_factor,
)
from taipan.templates.edges import apply_edges
from taipan.templates.fill import DATA
from taipan.templates.residual import add_residuals
from taipan.templates.store import read_histograms, write_histograms


def combine(
    observables: list[str],
    control: list[str],
    transfer_factor: str,
    edges: str | None,
    config: dict[str, Any],
    templates: str,
    control_plots: str,
    residuals: str,
) -> None:
    """Write the templates, the control histograms and the control residuals."""
    settings = restore_slice(config)
    variations = template_variations(settings.systematics, settings.regions)
    labels = [NOMINAL, *(variation.name for variation in variations)]
    processes = [*settings.samples, DATA]
    factor = read_transfer_factor(read_json(transfer_factor))
    results: dict[str, Any] = {}
    records: dict[str, Any] = {}
    for output, paths, defined, names, varied in (
        (
            templates,
            observables,
            apply_edges(settings.observables, edges),
            labels,
            variations,
        ),
        (control_plots, control, settings.control_plots, [NOMINAL], []),
    ):
        parts = [read_histograms(path) for path in paths]
        total = add_datasets(parts, defined, processes, list(settings.regions), names)
        total, found = add_residuals(total, settings.samples, settings.regions, varied, factor)
        records |= found
        if factor is not None:
            total = {
                name: add_same_sign(item, settings.samples, settings.regions, varied, factor)
                for name, item in total.items()
            }
        results[output] = total
    filled = results[templates]
    yields = list_yields(next(iter(filled.values())))
    check_yields(yields, settings.samples, settings.regions)
    check_variations(filled, settings.samples, settings.regions, variations)
    for output, histograms in results.items():
        write_histograms(output, histograms)
    write_json(residuals, records)
