"""Measure the factor of the sample that is estimated from data."""

from __future__ import annotations

import logging

from taipan.atomic import write_json
from taipan.config.model import Config
from taipan.estimates.registry import find_estimate, list_cross_checks
from taipan.events.expected import SampleSums, check_samples
from taipan.events.inputs import SkimmedEvents
from taipan.events.measured import EstimateSums
from taipan.events.opening import open_analysis

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
    measured = None if found is None else EstimateSums(*found, config.samples, config.regions)
    others = {
        name: EstimateSums(found[0], method, config.samples, config.regions, name)
        for name, method in list_cross_checks(config.samples).items()
        if found is not None
    }
    sums = SampleSums(config.samples, config.regions, analysis.is_late)
    for dataset in skimmed.stream(analysis, folds=2):
        quantities = analysis.compute(dataset.columns)
        sums.add(dataset, quantities)
        for item in (measured, *others.values()):
            if item is not None:
                item.add(dataset, quantities)
    for line in check_samples(sums):
        logger.warning("%s", line)
    if measured is None:
        write_json(transfer_factor, None)
        return
    estimate = measured.measure()
    for region in estimate.method.sources:
        factor = estimate.factor(region)
        sigma = factor * estimate.relative_uncertainty(region)
        logger.info("%s in %s: factor %.3f ± %.3f", estimate.sample, region, factor, sigma)
    records = {name: dict(item.measure().record) for name, item in others.items()}
    more = {"cross_checks": records} if records else {}
    write_json(transfer_factor, {**estimate.record, **more})


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(measure_transfer_factor)
