"""Measure the weights that systematics take from data."""

from __future__ import annotations

import logging

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.estimates.registry import read_estimate
from taipan.events.corrections import write_corrections
from taipan.events.inputs import SkimmedEvents
from taipan.events.opening import open_analysis
from taipan.events.shapes import count_events, measure_weight

logger = logging.getLogger("taipan.measure_shapes")


def measure_shapes(
    skimmed: SkimmedEvents,
    transfer_factor: str,
    config: Config,
    shapes: str,
) -> None:
    """Write the measured weights as one correctionlib file.

    Parameters
    ----------
    skimmed
        Events of all nominal datasets.
    transfer_factor
        JSON file of the rule ``measure_transfer_factor``.
    config
        Sections `samples`, `regions` and `weights`, and where the analysis is.
    shapes
        JSON file to write, as correctionlib reads it.
    """
    measurements = {
        name: weight.measure
        for name, weight in config.weights.items()
        if weight.measure is not None
    }
    measured = {}
    if measurements:
        analysis = open_analysis(config)
        estimate = read_estimate(config.samples, read_json(transfer_factor))
        counts = count_events(
            skimmed.stream(analysis, folds=2),
            measurements,
            config.samples,
            config.regions,
            analysis,
            estimate,
        )
        for name, item in measurements.items():
            values = measure_weight(name, item, counts, config.samples, config.regions, estimate)
            logger.info("%s: %s", name, ", ".join(f"{value:.3f}" for value in values))
            measured[name] = (item.quantity, item.binning, values)
    write_json(shapes, write_corrections(measured))


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(measure_shapes)
