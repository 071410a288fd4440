"""The axes of a histogram."""

from __future__ import annotations

from collections.abc import Sequence

import hist

from taipan.config.sections.observables import Observable


def empty_histogram(
    name: str,
    observable: Observable,
    processes: Sequence[str],
    regions: Sequence[str],
    variations: Sequence[str],
) -> hist.Hist:
    """Histogram with axes process, region, variation and the observable, Weight storage."""
    return hist.Hist(
        hist.axis.StrCategory(list(processes), name="process"),
        hist.axis.StrCategory(list(regions), name="region"),
        hist.axis.StrCategory(list(variations), name="variation"),
        hist.axis.Variable(observable.binning, name=name, label=observable.label),
        storage=hist.storage.Weight(),
    )
