"""Fill the histograms of one dataset with every variation."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from taipan.config.model import Config
from taipan.events.opening import open_analysis
from taipan.events.stream import stream_dataset
from taipan.nn.scorer import FoldScorer, open_scorer
from taipan.systematics.members import generator_branches
from taipan.templates.build import plan_filling
from taipan.templates.edges import apply_edges
from taipan.templates.fill import fill_blocks
from taipan.templates.store import write_histograms

logger = logging.getLogger("taipan.histogram")


def histogram(
    dataset: str,
    events: Sequence[str],
    models: Sequence[str],
    others: Mapping[str, Sequence[str]],
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
    """Write the histograms of the observables and of the control plots.

    Parameters
    ----------
    dataset
        Its name.
    events
        Parquet files of the dataset.
    models
        ONNX file of each fold; none if nothing is trained.
    others
        The same of other networks: observable that is their score → files.
    normalisation, pileup, shapes
        JSON files of the rules ``normalise``, ``measure_pileup`` and ``measure_shapes``.
    edges
        JSON file of the rule ``optimise_binning``; None: the edges of the configuration.
    drop_fold
        Fold that chose the edges and is left out; None for none.
    config
        Sections of the events and templates.
    threads
        Threads of a network.
    observables, control
        Histogram files to write, with every variation: of fitted and of control quantities.
    """
    analysis = open_analysis(config, config.systematics)
    scorer = open_scorer(models, config.features, threads)
    chosen = apply_edges(config.observables, config.regions, edges)
    fill = plan_filling(config, analysis, shapes, chosen, config.control_plots)
    blocks = stream_dataset(
        *(dataset, events, normalisation, pileup, analysis, max(len(models), 1)),
        drop_fold=drop_fold,
        weight_lists=generator_branches(config, dataset),
    )
    compared = {name: FoldScorer(paths, config.features, threads) for name, paths in others.items()}
    filled, nominal = fill_blocks(blocks, analysis, fill, scorer, compared)
    logger.info("%s: filled with %d variations", dataset, len(fill.variations))
    write_histograms(observables, filled)
    write_histograms(control, nominal)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(histogram)
