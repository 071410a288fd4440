"""Checks of the section `coverage`."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.config.model import Config


def check_coverage(config: Config) -> Iterator[str]:
    """Check that batches divide the experiments and that injected strengths can be fitted."""
    settings = config.coverage
    if settings.experiments % settings.batches:
        yield (
            f"coverage.batches: {settings.batches} does not divide coverage.experiments "
            f"({settings.experiments})"
        )
    low, high = settings.mu_range
    first, last = config.fit.poi_range
    if not (first < low <= high < last and low >= 0.0):
        yield (
            f"coverage.mu_range: [{low:g}, {high:g}] must be increasing, not negative, and within "
            f"fit.poi_range [{first:g}, {last:g}]"
        )
