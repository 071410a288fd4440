"""Estimates from data with made-up factors, for tests."""

from __future__ import annotations

from collections.abc import Mapping

from taipan.config.sections.samples import Sample
from taipan.estimates.registry import MeasuredEstimate, read_estimate
from taipan.estimates.same_sign import SameSign


def same_sign(**regions: str) -> SameSign:
    """Keys of a same-sign estimate: region → partner; the factor is of the first pair."""
    numerator, denominator = next(iter(regions.items()))
    return SameSign(
        method="same_sign", regions=regions, numerator=numerator, denominator=denominator
    )


def measured(
    samples: Mapping[str, Sample], factor: float, relative_uncertainty: float = 0.1
) -> MeasuredEstimate:
    """Put the estimate of some samples and a factor together."""
    record = {"value": factor, "relative_uncertainty": relative_uncertainty}
    found = read_estimate(samples, record)
    assert found is not None
    return found
