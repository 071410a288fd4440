"""Measure the weights that systematics take from data."""

from __future__ import annotations

import logging
from typing import Any

from taipan.analysis import load_analysis
from taipan.atomic import read_json, write_json
from taipan.config.slices import restore_slice
from taipan.events.corrections import write_corrections
from taipan.events.inputs import open_datasets
from taipan.events.shapes import count_events, measure_weight

logger = logging.getLogger("taipan.measure_shapes")


def measure_shapes(
    events: dict[str, list[str]],
    normalisation: str,
    pileup: str,
    transfer_factor: str,
    config: dict[str, Any],
    output: str,
) -> None:
    """Write the measured weights as one correctionlib file."""
    settings = restore_slice(config)
    measurements = {
        name: weight.measure
        for name, weight in settings.weights.items()
        if weight.measure is not None
    }
    measured = {}
    if measurements:
        analysis = load_analysis(settings.module)
        counts = count_events(
            open_datasets(events, normalisation, pileup, analysis, folds=2),
            measurements,
            settings.samples,
            settings.regions,
            analysis,
        )
        transfer = read_json(transfer_factor)
        factor = None if transfer is None else float(transfer["value"])
        for name, item in measurements.items():
            values = measure_weight(name, item, counts, settings.samples, settings.regions, factor)
            logger.info("%s: %s", name, ", ".join(f"{value:.3f}" for value in values))
            measured[name] = (item.quantity, item.binning, values)
    write_json(output, write_corrections(measured))
