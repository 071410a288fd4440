"""Checks of the section `coverage`, which a default run does not use."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.config.model import Config
from taipan.config.sections.coverage import Coverage
from taipan.coverage.score import FEWEST_EXPERIMENTS
from taipan.coverage.truth import describe_obstacle, strength_ranges
from taipan.suggestions import unknown


def check_coverage(config: Config) -> Iterator[str]:
    """Check that batches divide the experiments and that injected strengths can be fitted.

    The default strengths need not fit to the range of a fit of which nobody asks the coverage; what
    uses them checks them with :func:`check_strengths`.
    """
    settings = config.coverage
    if settings.experiments % settings.batches:
        yield (
            f"coverage.batches: {settings.batches} does not divide coverage.experiments "
            f"({settings.experiments})"
        )
    for name in settings.ranges:
        if name not in config.fit.pois:
            yield unknown(f"coverage.ranges.{name}", name, "parameter of interest", config.fit.pois)
    if settings.mu_range != Coverage().mu_range or settings.ranges or settings.calibrate:
        yield from check_strengths(config)
    if settings.calibrate:
        yield from _check_calibration(config)


def _check_calibration(config: Config) -> Iterator[str]:
    """Check what a run that calibrates its intervals would find out after hours only."""
    number, fewest = config.coverage.experiments, 2 * FEWEST_EXPERIMENTS
    if number < fewest:  # each half is judged by what the other has taught
        yield f"coverage.experiments: {number}; coverage.calibrate needs at least {fewest}"
    for name, item in config.systematics.items():
        if problem := describe_obstacle(name, item):
            yield f"{problem} (coverage.calibrate: false)"


def check_strengths(config: Config) -> Iterator[str]:
    """Check that the injected signal strengths are inside the range of the fit."""
    fit = config.fit
    for name, (low, high) in strength_ranges(config).items():
        first, last = fit.bounds(name)
        if not (first < low <= high < last and low >= 0.0):
            key = f"ranges.{name}" if name in config.coverage.ranges else "mu_range"
            own = fit.interests[name].range
            where = "fit.poi_range" if own is None else f"the range of {name}"
            yield (
                f"coverage.{key}: [{low:g}, {high:g}] must be increasing, not negative, and within "
                f"{where} [{first:g}, {last:g}]"
            )
            return
