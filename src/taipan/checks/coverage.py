"""Checks of the section `coverage`, which a default run does not use."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.config.model import Config
from taipan.config.sections.coverage import Coverage


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
    if settings.mu_range != Coverage().mu_range:
        yield from check_strengths(config)


def check_strengths(config: Config) -> Iterator[str]:
    """Check that the injected signal strengths are inside the range of the fit."""
    low, high = config.coverage.mu_range
    first, last = config.fit.poi_range
    if not (first < low <= high < last and low >= 0.0):
        yield (
            f"coverage.mu_range: [{low:g}, {high:g}] must be increasing, not negative, and within "
            f"fit.poi_range [{first:g}, {last:g}]"
        )
