"""Chunks of damaged files that were left out, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.skim.cutflow import Cutflow


@dataclass(frozen=True)
class Skipped:
    """A chunk that was left out because its file is damaged.

    Attributes
    ----------
    dataset
        What it belongs to.
    file, start, stop
        Its entries; `stop` None means to the end of the file.
    reason
        What is wrong; names file and entries.
    """

    dataset: str
    file: str
    start: int
    stop: int | None
    reason: str


def count_skipped(
    skipped: Sequence[Skipped],
    flows: Mapping[str, Sequence[Cutflow]],
    expected_events: Mapping[str, int | None],
) -> dict[str, int]:
    """Count the events that were left out.

    Parameters
    ----------
    skipped
        Chunks that were left out.
    flows
        Dataset → cutflows of the chunks that were read.
    expected_events
        Dataset → events of the unskimmed sample.

    Returns
    -------
    dict
        Dataset → events lost, for the datasets that lost any.

    Raises
    ------
    TaipanError
        If nothing of a dataset could be read, if its size is not known, or if the events lost and
        read are not those expected.
    """
    lost: dict[str, int] = {}
    for name in dict.fromkeys(item.dataset for item in skipped):
        parts = [item for item in skipped if item.dataset == name]
        expected = expected_events.get(name)
        if not flows[name]:
            raise TaipanError(f"dataset '{name}': every chunk was skipped: {parts[0].reason}")
        if expected is None:
            raise TaipanError(
                f"datasets.{name}.generated_events: missing; it tells how many events were skipped"
            )
        left = expected - sum(flow.cuts[0].events for flow in flows[name])
        counted = [item.stop - item.start for item in parts if item.stop is not None]
        all_counted = len(counted) == len(parts)
        if left < sum(counted) or (all_counted and left != sum(counted)):
            raise TaipanError(
                f"dataset '{name}': {expected} events expected, {expected - left} read and "
                f"{sum(counted)} skipped; a chunk is missing or was read twice"
            )
        lost[name] = left
    return lost


def luminosity_read(
    catalogue: Catalogue,
    luminosity: float,
    lost: Mapping[str, int],
    expected_events: Mapping[str, int | None],
) -> float:
    """Luminosity of the collision data that were read, in fb⁻¹.

    Parameters
    ----------
    catalogue
        Luminosity of each dataset of collision data.
    luminosity
        Of all analysed data in fb⁻¹.
    lost
        Dataset → events left out.
    expected_events
        Dataset → events of the unskimmed sample.

    Returns
    -------
    float
        Each dataset of collision data counts by the fraction of its events that was read, which
        is its share of the luminosity as far as the trigger rate follows the luminosity.
    """
    for name, events in lost.items():
        of_data, expected = catalogue.dataset(name).luminosity, expected_events[name]
        if of_data is not None and expected:
            luminosity -= of_data.value * events / expected
    return luminosity


def describe_skipped(
    catalogue: Catalogue,
    skipped: Sequence[Skipped],
    lost: Mapping[str, int],
    expected_events: Mapping[str, int | None],
    luminosity: tuple[float, float],
) -> list[str]:
    """Say what was left out and what follows from it, a line a fact.

    Parameters
    ----------
    catalogue, skipped, lost, expected_events
        As above.
    luminosity
        Of all analysed data and of those that were read, in fb⁻¹.
    """
    lines = []
    for name, events in lost.items():
        expected = expected_events[name] or events
        reasons = "; ".join(item.reason for item in skipped if item.dataset == name)
        is_data = catalogue.dataset(name).is_data
        others = "" if is_data else "; it is normalised to the events that were read"
        lines.append(
            f"skim.on_bad_file: {events} of {expected} events of {name} "
            f"({100.0 * events / expected:.3g} %) were skipped ({reasons}){others}"
        )
    full, read = luminosity
    if read < full:
        lines.append(
            f"skim.on_bad_file: {full - read:.4g} of {full:.4g} fb⁻¹ of data were skipped; the "
            f"simulation is normalised to {read:.4g} fb⁻¹, figures are labelled {full:.4g} fb⁻¹"
        )
    return lines
