"""Measure the opposite-sign/same-sign factor of the QCD background."""

from __future__ import annotations

import logging

import numpy as np

from taipan.analysis import load_analysis
from taipan.atomic import write_json
from taipan.config.model import Config
from taipan.events.expected import SampleSums, check_samples
from taipan.events.inputs import SkimmedEvents
from taipan.events.selection import region_masks, sample_masks
from taipan.templates.combine import measure_transfer_factor as divide

logger = logging.getLogger("taipan.measure_transfer_factor")


def measure_transfer_factor(
    skimmed: SkimmedEvents,
    config: Config,
    transfer_factor: str,
) -> None:
    """Write factor, uncertainty and the yields it comes from.

    All events are at hand here and no network is trained yet, so the samples are checked, too.
    """
    regions, analysis = config.transfer_factor, load_analysis(config.module)
    measured = (regions.numerator, regions.denominator) if regions is not None else ()
    totals = {name: np.zeros(2) for name in measured}
    chosen = {name: config.regions[name] for name in totals}
    sums = SampleSums(config.samples, config.regions)
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
    if regions is None:
        write_json(transfer_factor, None)
        return
    above, below = ((float(pair[0]), float(pair[1])) for pair in totals.values())
    factor = divide(above, below, (regions.numerator, regions.denominator))
    logger.info("OS/SS factor %.3f ± %.3f", factor.value, factor.stat)
    write_json(transfer_factor, factor.to_dict())


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(measure_transfer_factor)
