"""Data minus simulation in the regions in which the factor of an estimate is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.estimates.base import Estimate
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.load import DatasetEvents
from taipan.events.selection import region_masks, sample_masks

Array = NDArray[Any]


class EstimateSums:
    """Sums of data and simulation for an estimate, gathered a dataset at a time.

    Parameters
    ----------
    sample, method
        What is estimated, and how.
    samples, regions
        Definitions.
    cross_check
        Name of the cross-check that it is; empty for the estimate itself.
    """

    def __init__(
        self,
        sample: str,
        method: Estimate,
        samples: Mapping[str, Sample],
        regions: Mapping[str, Region],
        cross_check: str = "",
    ) -> None:
        self.sample, self.method, self.samples = sample, method, samples
        key = f"cross_checks.{cross_check}" if cross_check else "estimate"
        self._path = f"samples.{sample}.{key}"
        filled = {**regions, **method.divide(regions)}
        self._regions = {name: filled[name] for name in method.measured_in}
        self._totals = {name: np.zeros(2) for name in self._regions}
        self._simulated = dict.fromkeys(self._regions, 0.0)

    def add(self, events: DatasetEvents, quantities: Mapping[str, Array]) -> None:
        """Count the events of a dataset, whose quantities are given."""
        for region, mask in region_masks(quantities, self._regions).items():
            if events.weights is None:
                self._totals[region] += mask.sum()
                continue
            for chosen in sample_masks(quantities, self.samples, events.name).values():
                weights = events.weights.nominal[mask & chosen]
                self._totals[region] += (-weights.sum(), (weights**2).sum())
                self._simulated[region] += float(weights.sum())

    def measure(self) -> MeasuredEstimate:
        """Measure the factor.

        Raises
        ------
        TaipanError
            If a yield is not positive; names the sample and the region.
        """
        yields = {name: (float(pair[0]), float(pair[1])) for name, pair in self._totals.items()}
        try:
            record = self.method.measure(yields, self._simulated)
        except TaipanError as error:
            lines = (f"{self._path}: {line}" for line in str(error).splitlines())
            raise TaipanError("\n".join(lines)) from error
        return MeasuredEstimate(self.sample, self.method, record)
