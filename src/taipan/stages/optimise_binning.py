"""Choose bin edges with the smallest expected uncertainty of the signal strength."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.config.sections.fit import fitted_regions
from taipan.config.sections.observables import Observable
from taipan.config.sections.region_bins import (
    choose_histogram,
    expand_observables,
    own_histograms,
)
from taipan.estimates.registry import read_estimate
from taipan.events.inputs import SkimmedEvents
from taipan.events.load import DatasetEvents, divide_estimate, select_fold
from taipan.events.opening import open_analysis
from taipan.labels import NOMINAL
from taipan.likelihood import build_fine_workspace
from taipan.likelihood.binning import linearise, optimise_edges
from taipan.nn.scorer import FoldScorer
from taipan.systematics.members import generator_branches
from taipan.templates.build import add_parts, plan_filling, take_from_data
from taipan.templates.fill import fill_blocks
from taipan.templates.members import add_members

logger = logging.getLogger("taipan.optimise_binning")


def chosen_places(config: Config) -> dict[str, tuple[str, str]]:
    """Give histogram → observable of the fit and region, of the edges that are to be chosen.

    With one signal region they are those of every observable that no region names as its own; with
    several, those of the histograms of each region.
    """
    own = own_histograms(config.observables, config.regions, optimised=True)
    fitted = fitted_regions(config.regions, config.fit)
    free = [name for name in fitted if config.regions[name].has_chosen_edges]
    found: dict[str, tuple[str, str]] = {}
    for region in free:
        for main in config.observables:
            name = choose_histogram(region, config.regions, main, own)
            shared = any(item.observable == name for item in config.regions.values())
            if not shared:
                found.setdefault(name, (main, region))
    return found


def fine_observables(config: Config) -> dict[str, Observable]:
    """Give the observables with bins of equal width over the range, where edges are chosen."""
    number = config.templates.binning.fine_bins + 1
    chosen = chosen_places(config)
    observables = expand_observables(config.observables, config.regions, optimised=True)
    return {
        name: item.model_copy(
            update={
                "binning": np.linspace(item.binning[0], item.binning[-1], number).round(6).tolist()
            }
        )
        if name in chosen
        else item
        for name, item in observables.items()
    }


def keep_deciding(dataset: DatasetEvents, fold: int | None) -> DatasetEvents:
    """Keep the events that choose the edges: those of one fold, or all."""
    if fold is None:
        return dataset
    choose = divide_estimate if dataset.is_data else select_fold
    return choose(dataset, fold, inside=True)


def optimise_binning(
    skimmed: SkimmedEvents,
    models: Sequence[str],
    others: Mapping[str, Sequence[str]],
    transfer_factor: str,
    shapes: str,
    config: Config,
    threads: int,
    edges: str,
) -> None:
    """Write the edges of every observable; the events of one fold decide, or all.

    Parameters
    ----------
    skimmed
        Events of all nominal datasets.
    models
        ONNX file of each fold.
    others
        The same of other networks: observable that is their score → files.
    transfer_factor, shapes
        JSON files of the rules ``measure_transfer_factor`` and ``measure_shapes``.
    config
        Sections of the events, the templates and the fit.
    threads
        Threads of a network.
    edges
        JSON file to write.
    """
    binning, analysis = config.templates.binning, open_analysis(config)
    observables = fine_observables(config)
    fill = plan_filling(config, analysis, shapes, observables)
    scorer = FoldScorer(models, threads=threads, features=config.features)
    compared = {name: FoldScorer(paths, config.features, threads) for name, paths in others.items()}
    parts = []
    for dataset in skimmed.open(analysis, len(models)):
        blocks: Iterable[DatasetEvents] = [keep_deciding(dataset, binning.fold)]
        if lists := generator_branches(config, dataset.name):
            blocks = skimmed.stream_lists(dataset.name, analysis, len(models), lists, binning.fold)
        parts.append(fill_blocks(blocks, analysis, fill, scorer, compared)[0])
    measured = read_json(transfer_factor)
    estimate = read_estimate(config.samples, measured)
    added = add_parts(parts, config, observables, fill.variations)
    added = add_members(added, parts, config, fill.variations, skimmed.normalisations())
    total, _ = take_from_data(added, config, fill.variations, estimate)
    signals = [name for name, item in config.samples.items() if item.role == "signal"]
    places = chosen_places(config)
    chosen_edges: dict[str, Any] = {}
    for name, histogram in total.items():
        if name not in places:
            chosen_edges[name] = {"edges": observables[name].binning, "method": "none"}
            continue
        main, region = places[name]
        workspace = build_fine_workspace(total[main], config, main, measured, total)
        # the templates have all folds but the one used here, of simulation and of source data
        left = 1 if binning.fold is None else len(models) - 1
        model = linearise(workspace, region, signals, 1.0 / left)
        signal = sum(
            histogram[{"process": sample, "region": region, "variation": NOMINAL}].values()
            for sample in signals
        )
        starts, record = optimise_edges(model, signal, binning)
        fine = observables[name].binning
        logger.info("%s: %d bins, expected σ %.3f", name, len(starts), record["sigma"])
        chosen_edges[name] = {
            "edges": [fine[i] for i in [*starts, len(fine) - 1]],
            "method": binning.method,
            **record,
        }
    write_json(edges, chosen_edges)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(optimise_binning)
