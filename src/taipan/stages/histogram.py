"""Fill the histograms of one dataset with every variation."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from taipan.analysis import load_analysis
from taipan.config.model import Config
from taipan.events.stream import stream_dataset
from taipan.nn.scorer import open_scorer
from taipan.templates.build import plan_filling
from taipan.templates.edges import apply_edges
from taipan.templates.fill import fill_blocks
from taipan.templates.store import write_histograms

logger = logging.getLogger("taipan.histogram")


def histogram(
    dataset: str,
    events: Sequence[str],
    models: Sequence[str],
    normalisation: str,
    pileup: str,
    shapes: str,
    edges: str | None,
    drop_fold: int | None,
    config: Config,
    threads: int,
    observables: str,
    control: str,
) -> None:
    """Write the histograms of the observables and of the control plots."""
    analysis = load_analysis(config.folder, config.quantities)
    scorer = open_scorer(models, config.features, threads)
    chosen = apply_edges(config.observables, edges)
    fill = plan_filling(config, analysis, shapes, chosen, config.control_plots)
    blocks = stream_dataset(
        dataset, events, normalisation, pileup, analysis, max(len(models), 1), drop_fold=drop_fold
    )
    filled, nominal = fill_blocks(blocks, analysis, fill, scorer)
    logger.info("%s: filled with %d variations", dataset, len(fill.variations))
    write_histograms(observables, filled)
    write_histograms(control, nominal)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(histogram)
