"""Expected events of each sample in each region, known before any network is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.regions import EXPECTED_DATA, Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.events.load import DatasetEvents
from taipan.events.overlap import SharedEvents, exclusive_pairs
from taipan.events.selection import belongs_to, early_regions, reach_masks, sample_masks
from taipan.labels import DATA, is_score

Array = NDArray[Any]


@dataclass(frozen=True)
class Sums:
    """Number of events, Σw and Σw²."""

    events: int = 0
    sumw: float = 0.0
    sumw2: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        """Add the sums of other events."""
        return Sums(self.events + other.events, self.sumw + other.sumw, self.sumw2 + other.sumw2)


class SampleSums:
    """Sums of the simulated samples in every region, gathered a dataset at a time.

    Parameters
    ----------
    samples, regions
        Definitions.
    is_late
        Tells whether a quantity is known only after the networks were asked. Of a cut with such a
        quantity the rest counts: the events that may be in the region.
    """

    def __init__(
        self,
        samples: Mapping[str, Sample],
        regions: Mapping[str, Region],
        is_late: Callable[[str], bool] = is_score,
    ) -> None:
        self._is_late = is_late
        self.samples, self.regions = samples, regions
        self.data: dict[str, int] = dict.fromkeys(regions, 0)
        self.has_data = False
        keys = [(name, region) for name in samples for region in regions]
        self._sums = dict.fromkeys(keys, Sums())
        early = early_regions(regions, is_late)  # of the others it is known when they are filled
        pairs = exclusive_pairs(regions, samples)
        self.shared = SharedEvents(pair for pair in pairs if early.keys() >= set(pair))

    def add(self, events: DatasetEvents, quantities: Mapping[str, Array]) -> None:
        """Count the events of a dataset, whose quantities are given."""
        inside = reach_masks(quantities, self.regions, self._is_late)
        if events.weights is None:
            self.has_data = True
            everything = np.ones(len(quantities["passes"]), dtype=bool)
            self.shared.add(inside, {DATA: everything})
            for region, mask in inside.items():
                self.data[region] += int(mask.sum())
            return
        weights = events.weights.nominal
        members = sample_masks(quantities, self.samples, events.name)
        self.shared.add(inside, members)
        for region, mask in inside.items():
            for name, chosen in members.items():
                self._sums[name, region] += _sum_up(weights[chosen & mask])

    def of(self, sample: str, region: str) -> Sums:
        """Give the sums of a sample in a region."""
        return self._sums[sample, region]


def _sum_up(weights: Array) -> Sums:
    return Sums(len(weights), float(weights.sum()), float((weights**2).sum()))


def check_samples(sums: SampleSums) -> list[str]:
    """Refuse samples that no model can be built from, and say which are left out of a region.

    A sample without any event in a region is left out of the model there. One with events whose
    weights add up to nothing or less is refused: leaving it out would change what is expected, so
    that is for the configuration to say (`samples.*.regions`).

    Returns
    -------
    list of str
        A line for each sample that is left out of a fitted region.

    Raises
    ------
    TaipanError
        If no event passes the cut of a region, or no data where enough are expected; if two regions
        share events; if a simulated sample has Σw ≤ 0 in a fitted region,
        or no event in any; if no signal is in a signal region. One line a problem, with a remedy.
    """
    samples, regions = sums.samples, sums.regions
    simulated = [name for name, item in samples.items() if item.is_simulated]
    sums.shared.refuse()
    _refuse_empty_regions(sums, simulated)
    fitted = [name for name, item in regions.items() if item.role != "estimate"]
    problems, warnings = _without_data(sums, simulated)
    reached: set[str] = set()
    for name in simulated:
        places = [region for region in fitted if belongs_to(samples[name], region, regions)]
        filled = [region for region in places if sums.of(name, region).events]
        good = [region for region in filled if sums.of(name, region).sumw > 0]
        if not filled:
            problems.append(_describe_absent(name, samples[name], places))
            continue
        problems += [
            _describe_sums(name, region, sums.of(name, region), good)
            for region in filled
            if region not in good
        ]
        for region in places:
            if region not in filled:
                warnings.append(
                    f"sample {name} has no event in region {region} and is left out there"
                )
        if samples[name].role == "signal":
            reached.update(regions[region].role for region in filled)
    signal = [name for name in simulated if samples[name].role == "signal"]
    if signal and not problems and "signal" not in reached:
        places = [name for name in fitted if regions[name].role == "signal"]
        problems.append(
            f"samples: no event of a signal sample ({', '.join(signal)}) is in a region with role "
            f"signal ({', '.join(places)}); there is nothing to fit"
        )
    if problems:
        raise TaipanError("\n".join(problems))
    return warnings


def _refuse_empty_regions(sums: SampleSums, simulated: Sequence[str]) -> None:
    for region, definition in sums.regions.items():
        counts = [sums.of(name, region).events for name in simulated]
        if not sums.data[region] and not any(counts):
            raise TaipanError(
                f"regions.{region}.cut: '{definition.cut}': no event of any process passes it"
            )


def _without_data(sums: SampleSums, simulated: Sequence[str]) -> tuple[list[str], list[str]]:
    """List the regions without data: a problem where some are expected, else a warning.

    Signal regions are not looked at: they may be blinded.
    """
    problems: list[str] = []
    warnings: list[str] = []
    for region, definition in sums.regions.items():
        if not sums.has_data or definition.role == "signal" or sums.data[region]:
            continue
        expected = sum(sums.of(name, region).sumw for name in simulated)
        line = (
            f"regions.{region}.cut: '{definition.cut}': no event of data passes it, "
            f"{expected:.3g} are expected from simulation"
        )
        (problems if expected >= EXPECTED_DATA else warnings).append(line)
    return problems, warnings


def _describe_absent(name: str, sample: Sample, places: list[str]) -> str:
    key, value = ("select", sample.select) if sample.select else ("datasets", sample.datasets)
    return (
        f"samples.{name}.{key}: {value!r}: no event is in a region that is fitted "
        f"({', '.join(places)}); change it, or take the sample out"
    )


def _describe_sums(name: str, region: str, found: Sums, good: Sequence[str]) -> str:
    confined = f"confine it to where it counts (samples.{name}.regions: [{', '.join(good)}])"
    return (
        f"sample {name}, region {region}: Σw = {found.sumw:.6g} ± {found.sumw2**0.5:.2g} of "
        f"{found.events} events; the yield of a simulated process must be positive; "
        + (confined if good else "take the sample out, or use more events")
    )
