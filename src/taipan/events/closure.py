"""Closure of the corrections: Σw before and after each, per sample and region, and what was odd."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.events.corrected import OpenedCorrections
from taipan.events.load import DatasetEvents
from taipan.events.selection import belongs_to, early_regions, region_masks, sample_masks

Array = NDArray[Any]
COUNTED = ("events", "before", "after", "outside", "missing", "beyond")
"""What is counted of each correction, sample and region."""


@dataclass
class Closure:
    """Sums of the simulated samples, gathered a block of events at a time.

    Parameters
    ----------
    analysis
        Without corrections.
    corrections
        What corrects its events.
    samples, regions
        Definitions; a region that scores decide is left out, as networks come later.
    envelope
        Collection → how far its thresholds are loosened in the skim.
    """

    analysis: Analysis
    corrections: OpenedCorrections
    samples: Mapping[str, Sample]
    regions: Mapping[str, Region]
    envelope: Mapping[str, float]
    counts: dict[tuple[str, str, str], dict[str, float]] = field(default_factory=dict)

    def add(self, events: DatasetEvents) -> None:
        """Correct simulated events step by step, energies first, and count them."""
        if events.weights is None:
            return
        columns, weights = events.columns, events.weights.nominal
        quantities = self.analysis.compute(columns)
        nothing: Array = np.zeros(len(weights), dtype=bool)
        for name in self.corrections.energies:
            self._count(name, "before", events.name, quantities, weights)
            columns, found = self.corrections.change_objects(name, columns, is_data=False)
            quantities = self.analysis.compute(columns)
            largest = 1.0 + self.envelope.get(self.corrections.energies[name].collection, 0.0)
            odd: dict[str, Array] = {
                "outside": np.asarray(found.outside.any(axis=1)),
                "missing": np.asarray(found.missing.any(axis=1)),
                "beyond": np.asarray((found.values > largest).any(axis=1)),
            }
            self._count(name, "after", events.name, quantities, weights, odd)
        for name in self.corrections.weights:
            self._count(name, "before", events.name, quantities, weights)
            found = self.corrections.evaluate(name, events.name, columns, quantities, "apply")
            weights = weights * found.values
            odd = {"outside": found.outside, "missing": found.missing, "beyond": nothing}
            self._count(name, "after", events.name, quantities, weights, odd)

    def _count(
        self,
        name: str,
        when: str,
        dataset: str,
        quantities: Columns,
        weights: Array,
        odd: Mapping[str, Array] | None = None,
    ) -> None:
        known = early_regions(self.regions, self.analysis.is_late)
        masks = region_masks(quantities, known)
        for sample, of_sample in sample_masks(quantities, self.samples, dataset).items():
            for region, inside in masks.items():
                if not belongs_to(self.samples[sample], region, self.regions):
                    continue
                key = (name, sample, region)
                found = self.counts.setdefault(key, dict.fromkeys(COUNTED, 0.0))
                chosen = of_sample & inside
                found[when] += float(weights[chosen].sum())
                if odd is not None:
                    found["events"] += int(chosen.sum())
                    for what, flags in odd.items():
                        found[what] += int((flags & chosen).sum())

    def rows(self) -> list[dict[str, Any]]:
        """List what was counted, in the order of corrections, samples and regions."""
        return [
            {
                "correction": name,
                "sample": sample,
                "region": region,
                **{key: value if key in ("before", "after") else int(value)
                   for key, value in found.items()},
            }
            for (name, sample, region), found in self._ordered()
        ]  # fmt: skip

    def _ordered(self) -> Iterator[tuple[tuple[str, str, str], dict[str, float]]]:
        for name in (*self.corrections.energies, *self.corrections.weights):
            for sample in self.samples:
                for region in self.regions:
                    if (name, sample, region) in self.counts:
                        yield (name, sample, region), self.counts[name, sample, region]


def describe_oddities(
    rows: Iterable[Mapping[str, Any]], out_of_range: Mapping[str, str]
) -> list[str]:
    """Write a line for each correction with values that it could not look up as they were.

    Parameters
    ----------
    rows
        Of :meth:`Closure.rows`.
    out_of_range
        Correction → what is done outside its bins.
    """
    done = {"clamp": "the nearest bin was taken", "flow": "the file's own value was taken"}
    texts = {
        "outside": "have a value outside its bins ({done})",
        "missing": "lack an input (a factor of 1)",
        "beyond": "have an object lifted by more than skim.envelope covers: softer ones may lack",
    }
    totals: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        for what in texts:
            total = totals.setdefault((row["correction"], what), [0, 0])
            total[0] += row[what]
            total[1] += row["events"]
    return [
        f"corrections.{name}: {odd} of {events} events in regions "
        + texts[what].format(done=done.get(out_of_range[name], ""))
        for (name, what), (odd, events) in totals.items()
        if odd
    ]
