"""Draw pseudo-data from the simulated events, with random signal strength and systematics."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.config.sections.observables import filled_quantities
from taipan.config.sections.region_bins import choose_histogram
from taipan.coverage.bins import FitBins, SourceData
from taipan.coverage.draw import Universe, iterate_samples
from taipan.coverage.event_store import EventStore, store_reach
from taipan.coverage.sample_events import SampleEvents
from taipan.coverage.statistics import SimulationStatistics
from taipan.coverage.truth import (
    Truth,
    draw_truth,
    extreme_truths,
    leave_out_predictions,
    scale_samples,
    strength_ranges,
)
from taipan.coverage.yield_factors import read_yield_factors
from taipan.estimates.registry import MeasuredEstimate, counted_planes, read_estimate
from taipan.events.corrections import read_corrections
from taipan.events.inputs import SkimmedEvents
from taipan.events.opening import open_analysis
from taipan.events.variations import acts_on_estimate
from taipan.labels import DATA, NOMINAL
from taipan.likelihood.counted import start_yields
from taipan.likelihood.merge import merge_values
from taipan.likelihood.table import Table, read_table
from taipan.nn.scorer import open_scorer
from taipan.seeds import derive_seed
from taipan.templates.store import read_histograms

logger = logging.getLogger("taipan.draw_pseudo_data")

# What leaving out events far from the fitted regions may change, in Poisson standard deviations of
# a bin: a shift of every bin by this much, all in one direction, moves an estimate by less.
LARGEST_LOSS = 0.05


def draw_pseudo_data(
    skimmed: SkimmedEvents,
    larger: Mapping[str, Sequence[str]],
    larger_normalisation: str | None,
    models: Sequence[str],
    shapes: str,
    templates: str,
    transfer_factor: str,
    record: str,
    config: Config,
    observable: str,
    seed: int,
    batch: int,
    threads: int,
    pseudo_data: str,
) -> None:
    """Write the counts and the truth of one batch of pseudo-experiments.

    Parameters
    ----------
    skimmed
        Events of the nominal simulation.
    larger, larger_normalisation
        The same of a larger simulation, which pseudo-data are drawn from in their place: dataset →
        Parquet files of the skim, and JSON file of the rule ``normalise``; none if there is none.
    models
        ONNX file of each fold.
    shapes
        JSON file of the rule ``measure_shapes``.
    templates
        Histogram file of the rule ``combine_templates``.
    transfer_factor
        JSON file of the rule ``measure_transfer_factor``.
    record
        Record that was written beside the workspace.
    config
        Sections `samples`, `regions`, `observables`, `features`, `systematics`, `weights`,
        `coverage` and, of the section `fit`, what scales the samples.
    observable
        Observable of the fit.
    seed, batch
        Seed of the run and number of the batch: each batch has random numbers of its own.
    threads
        Threads of a network.
    pseudo_data
        JSON file to write.

    Raises
    ------
    TaipanError
        If a systematic cannot be applied to events.
    """
    config = leave_out_predictions(config)
    analysis, merging = open_analysis(config), read_json(record)["regions"]
    scorer = open_scorer(models, config.features, threads)

    histograms = read_histograms(templates)
    quantities = filled_quantities(config.observables)
    main = quantities[observable]

    # the source of a region is binned as the region
    bound = {item.source: name for name, item in counted_planes(config.samples).items()}

    def fitted_in(region: str) -> str:
        return choose_histogram(bound.get(region, region), config.regions, observable, histograms)

    def counted_in(region: str) -> str:
        chosen = config.regions[bound.get(region, region)]
        return quantities[chosen.choose_observable(observable)]

    binning = FitBins(
        main,
        {name: np.asarray(item["edges_after"]) for name, item in merging.items()},
        frozenset(name for name in merging if config.regions[name].is_single_bin),
        {name: counted_in(name) for name in merging if counted_in(name) != main},
    )
    tables = {name: read_table(histograms[fitted_in(name)], fitted_in(name)) for name in merging}
    estimate = read_estimate(config.samples, read_json(transfer_factor))
    source_data = read_source_data(tables, merging, config, estimate)
    free = estimate is None or source_data.fixed
    factors = () if free or estimate is None else estimate.method.parameters
    corrections = read_corrections(config.weights, analysis.quantities, shapes)
    starts = {name: item["starts"] for name, item in merging.items()}
    varied = read_yield_factors(tables, starts, config)
    universe = Universe(analysis, config, binning, scorer, varied)
    others = strength_ranges(config)
    span = others.pop(config.fit.poi)
    rng = np.random.default_rng(derive_seed(seed, "coverage", batch))

    def draw() -> Truth:
        truth = draw_truth(config.systematics, span, rng, factors, others)
        return scale_samples(truth, config)

    source = skimmed
    if larger_normalisation is not None:
        source = SkimmedEvents(larger, larger_normalisation, skimmed.pileup)

    def simulated(files: SkimmedEvents) -> Iterator[SampleEvents]:
        return iterate_samples(files, analysis, config, corrections, max(len(models), 1))

    truth, extremes = draw(), extreme_truths(config.systematics)
    with EventStore(pseudo_data) as near, EventStore(pseudo_data) as everything:
        passing = store_reach(universe, simulated(source), extremes, near)
        complete = universe.expected(passing, truth, source_data)
        loss = _loss(complete, universe.expected(near, truth, source_data))
        counted = (near.kept, near.seen, loss)
        logger.info("%d of %d events are near a fitted region; loss %.2g σ", *counted)
        used = near
        if loss > LARGEST_LOSS:
            logger.info("that is more than %g σ: all events are used", LARGEST_LOSS)
            for part in simulated(source):
                everything.add(part)
            used = everything
        offsets = {}
        if source is not skimmed:
            offsets = universe.nominal_yields(simulated(skimmed))
            for cell, yields in universe.nominal_yields(used).items():
                offsets[cell] = offsets.get(cell, 0.0) - yields
        statistics = SimulationStatistics(universe, simulated(skimmed), source_data)
        truths, counts, contents = [], [], []
        for _ in range(config.coverage.experiments // config.coverage.batches):
            truth = draw()
            expected = universe.expected(used, truth, source_data, offsets)
            counts.append(
                {name: rng.poisson(np.maximum(y, 0.0)).tolist() for name, y in expected.items()}
            )
            contents.append(
                {
                    name: {"ratio": item.ratio.tolist(), "error": item.error.tolist()}
                    for name, item in statistics.draw(rng).items()
                }
            )
            found = {"mu": truth.mu, "pulls": truth.pulls, "factors": truth.factors}
            truths.append({**found, "others": truth.others} if others else found)
    write_json(pseudo_data, {"truths": truths, "counts": counts, "contents": contents})


def read_source_data(
    tables: Mapping[str, Table],
    merging: Mapping[str, Any],
    settings: Config,
    estimate: MeasuredEstimate | None,
) -> SourceData:
    """Take the data of the sources in the fit's bins, nominal and under weights of the estimate."""
    acting = [
        name
        for name, item in settings.systematics.items()
        if item.has_templates and acts_on_estimate(item, settings.samples)
    ]
    counts: dict[str, dict[str, Any]] = {name: {} for name in (NOMINAL, *acting)}
    for region, item in merging.items():
        places = () if estimate is None else estimate.filled_in(region)
        if not places:
            continue
        table = tables[region]
        for name, by_region in counts.items():
            # a weight that does not act in the source has left its template empty
            label = NOMINAL if name == NOMINAL else f"{name}_up"
            rows = []
            for place in places:
                values = table.counts(DATA, place, label).values
                if not values.any():
                    values = table.counts(DATA, place).values
                rows.append(merge_values(values, tuple(item["starts"])))
            by_region[region] = np.stack(rows)
    fixed = {} if estimate is None else _count_truth(tables, merging, estimate)
    return SourceData(counts.pop(NOMINAL), counts, estimate, fixed)


def _count_truth(
    tables: Mapping[str, Table], merging: Mapping[str, Any], estimate: MeasuredEstimate
) -> dict[str, Any]:
    """Give the true yields of a sample that the fit counts in further regions: those measured."""
    found: dict[str, Any] = {}
    for region, plane in estimate.method.counted.items():
        if region not in merging:
            continue
        starts = {name: tuple(merging[name]["starts"]) for name in (region, plane.source)}
        in_source = start_yields(tables[region], estimate, plane.source, starts[plane.source], 0.0)
        below = start_yields(tables[region], estimate, plane.denominator, (0,), 0.0)
        factor = estimate.factor(region)
        found |= {region: factor * in_source, plane.source: in_source}
        found |= {plane.numerator: factor * below, plane.denominator: below}
    return found


def _loss(complete: Mapping[str, Any], part: Mapping[str, Any]) -> float:
    """Largest change of a bin, in Poisson standard deviations."""
    return max(
        float((np.abs(part[name] - complete[name]) / np.sqrt(complete[name])).max())
        for name in complete
    )


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(draw_pseudo_data)
