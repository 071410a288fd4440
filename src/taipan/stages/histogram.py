"""Fill the histograms of one dataset with every variation."""

from __future__ import annotations

import logging
from typing import Any

from taipan.analysis import load_analysis
from taipan.config.slices import restore_slice
from taipan.events.corrections import read_corrections
from taipan.events.stream import stream_dataset
from taipan.events.variations import template_variations
from taipan.nn.scorer import open_scorer
from taipan.templates.edges import apply_edges
from taipan.templates.fill import FillSettings, fill_blocks
from taipan.templates.store import write_histograms

logger = logging.getLogger("taipan.histogram")


def histogram(
    dataset: str,
    events: list[str],
    models: list[str],
    normalisation: str,
    pileup: str,
    shapes: str,
    edges: str | None,
    drop_fold: int | None,
    config: dict[str, Any],
    threads: int,
    observables: str,
    control: str,
) -> None:
    """Write the histograms of the observables and of the control plots."""
    settings = restore_slice(config)
    analysis = load_analysis(settings.module)
    scorer = open_scorer(models, settings.features, threads)
    fill = FillSettings(
        settings.samples,
        settings.regions,
        settings.features,
        apply_edges(settings.observables, edges),
        settings.control_plots,
        template_variations(settings.systematics, settings.samples),
        read_corrections(settings.weights, analysis.quantities, shapes),
    )
    blocks = stream_dataset(
        dataset, events, normalisation, pileup, analysis, max(len(models), 1), drop_fold=drop_fold
    )
    filled, nominal = fill_blocks(blocks, analysis, fill, scorer)
    logger.info("%s: filled with %d variations", dataset, len(fill.variations))
    write_histograms(observables, filled)
    write_histograms(control, nominal)
