"""Measure the factor of the sample that is estimated from data."""

from __future__ import annotations

import logging

import numpy as np

from taipan.atomic import write_json
from taipan.config.model import Config
from taipan.estimates.registry import MeasuredEstimate, find_estimate
from taipan.events.expected import SampleSums, check_samples
from taipan.events.inputs import SkimmedEvents
from taipan.events.opening import open_analysis
from taipan.events.selection import region_masks, sample_masks

logger = logging.getLogger("taipan.measure_transfer_factor")


def measure_transfer_factor(
    skimmed: SkimmedEvents,
    config: Config,
    transfer_factor: str,
) -> None:
    """Write factor, uncertainty and the yields it comes from.

    All events are at hand here and no network is trained yet, so the samples are checked, too.

    Parameters
    ----------
    skimmed
        Events of all nominal datasets.
    config
        Sections `samples`, `regions` and `transfer_factor`, and where the analysis is.
    transfer_factor
        JSON file to write; null if no sample is estimated from data.
    """
    found, analysis = find_estimate(config.samples), open_analysis(config)
    totals = {name: np.zeros(2) for name in (found[1].measured_in if found else ())}
    chosen = {name: config.regions[name] for name in totals}
    sums = SampleSums(config.samples, config.regions, analysis.is_late)
    for dataset in skimmed.open(analysis, folds=2):
        quantities = analysis.compute(dataset.columns)
        sums.add(dataset, quantities)
        for region, mask in region_masks(quantities, chosen).items():
            if dataset.weights is None:
                totals[region] += mask.sum()
                continue
            for selected in sample_masks(quantities, config.samples, dataset.name).values():
                weights = dataset.weights.nominal[mask & selected]
                totals[region] += (-weights.sum(), (weights**2).sum())
    for line in check_samples(sums):
        logger.warning("%s", line)
    if found is None:
        write_json(transfer_factor, None)
        return
    yields = {name: (float(pair[0]), float(pair[1])) for name, pair in totals.items()}
    estimate = MeasuredEstimate(*found, found[1].measure(yields))
    for region in found[1].sources:
        factor = estimate.factor(region)
        sigma = factor * estimate.relative_uncertainty(region)
        logger.info("%s in %s: factor %.3f ± %.3f", estimate.sample, region, factor, sigma)
    write_json(transfer_factor, estimate.record)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(measure_transfer_factor)
