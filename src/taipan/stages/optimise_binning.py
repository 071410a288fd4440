"""Choose bin edges with the smallest expected uncertainty of the signal strength."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from taipan.analysis import load_analysis
from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.config.slices import restore_slice
from taipan.events.corrections import read_corrections
from taipan.events.inputs import open_datasets
from taipan.events.load import divide_estimate, select_fold
from taipan.events.variations import NOMINAL, template_variations
from taipan.likelihood import build_fine_workspace
from taipan.likelihood.binning import linearise, optimise_edges
from taipan.nn.scorer import FoldScorer
from taipan.templates.combine import add_datasets, add_same_sign, read_transfer_factor
from taipan.templates.fill import DATA, FillSettings, fill_dataset

logger = logging.getLogger("taipan.optimise_binning")


def fine_observables(settings: Config) -> dict[str, Any]:
    """Give the observables with bins of equal width over the configured range.

    Those that a region names as its own keep their bins: they are not those of the signal region.
    """
    number = settings.templates.binning.fine_bins + 1
    own = {region.observable for region in settings.regions.values()}
    return {
        name: item
        if name in own
        else item.model_copy(
            update={
                "binning": np.linspace(item.binning[0], item.binning[-1], number).round(6).tolist()
            }
        )
        for name, item in settings.observables.items()
    }


def optimise_binning(
    events: dict[str, list[str]],
    models: list[str],
    normalisation: str,
    pileup: str,
    transfer_factor: str,
    shapes: str,
    config: dict[str, Any],
    threads: int,
    output: str,
) -> None:
    """Write the edges of every observable; the events of one fold decide."""
    settings = restore_slice(config)
    binning, analysis = settings.templates.binning, load_analysis(settings.module)
    observables = fine_observables(settings)
    variations = template_variations(settings.systematics, settings.regions)
    corrections = read_corrections(settings.weights, analysis.quantities, shapes)
    fill = FillSettings(
        settings.samples,
        settings.regions,
        settings.features,
        observables,
        {},
        variations,
        corrections,
    )
    scorer = FoldScorer(models, threads=threads, features=settings.features)
    parts = []
    for dataset in open_datasets(events, normalisation, pileup, analysis, len(models)):
        choose = divide_estimate if dataset.is_data else select_fold
        chosen = choose(dataset, binning.fold, inside=True)
        parts.append(fill_dataset(chosen, analysis, fill, scorer.score)[0])
    labels = [NOMINAL, *(variation.name for variation in variations)]
    processes = [*settings.samples, DATA]
    total = add_datasets(parts, observables, processes, list(settings.regions), labels)
    measured = read_json(transfer_factor)
    factor = read_transfer_factor(measured)
    if factor is not None:
        total = {
            name: add_same_sign(item, settings.samples, settings.regions, variations, factor)
            for name, item in total.items()
        }
    signals = [name for name, item in settings.samples.items() if item.role == "signal"]
    (region,) = [name for name, item in settings.regions.items() if item.role == "signal"]
    chosen_edges: dict[str, Any] = {}
    own = {item.observable for item in settings.regions.values()}
    for name, histogram in total.items():
        if name in own:
            chosen_edges[name] = {"edges": observables[name].binning, "method": "none"}
            continue
        workspace = build_fine_workspace(histogram, settings, name, measured, total)
        # the templates have all folds but the one used here, of simulation and same-sign data
        model = linearise(workspace, region, signals, 1.0 / (len(models) - 1))
        signal = sum(
            histogram[{"process": sample, "region": region, "variation": NOMINAL}].values()
            for sample in signals
        )
        starts, record = optimise_edges(model, signal, binning)
        fine = observables[name].binning
        edges = [fine[i] for i in [*starts, len(fine) - 1]]
        logger.info("%s: %d bins, expected σ %.3f", name, len(starts), record["sigma"])
        chosen_edges[name] = {"edges": edges, "method": binning.method, **record}
    write_json(output, chosen_edges)
