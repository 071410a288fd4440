"""Normalisation of every dataset, from the catalogue and the merged cutflows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from taipan.datasets import Catalogue, event_scale
from taipan.errors import TaipanError
from taipan.skim.cutflow import Cutflow, merge_cutflows


@dataclass(frozen=True)
class Normalisation:
    """What a dataset's events stand for.

    Attributes
    ----------
    scale
        Factor on ``genWeight`` for simulation, 1 for data.
    generated_events, sumw
        Size of the unskimmed sample.
    luminosity
        fb⁻¹ that the scale refers to.
    skipped_events
        Events of damaged files that were left out (`skim.on_bad_file`); not in the above.
    """

    dataset: str
    is_data: bool
    scale: float
    generated_events: int
    sumw: float
    luminosity: float
    skipped_events: int = 0


def normalise(
    catalogue: Catalogue,
    flows: Mapping[str, Sequence[Cutflow]],
    expected_events: Mapping[str, int | None],
    luminosity: float,
    lost: Mapping[str, int] | None = None,
) -> tuple[dict[str, Normalisation], dict[str, Cutflow]]:
    """Merge cutflows over chunks and derive each dataset's scale.

    Parameters
    ----------
    catalogue
        Cross sections and, for flat ntuples, the size of the unskimmed samples.
    flows
        Dataset → cutflows of its chunks.
    expected_events
        Dataset → events of the unskimmed sample as the source states it (None: not known).
    luminosity
        Of the analysed data in fb⁻¹.
    lost
        Dataset → events of damaged files left out on purpose; Σ genWeight and the number of
        events are those of the chunks that were read.

    Returns
    -------
    normalisations, cutflows
        By dataset.

    Raises
    ------
    TaipanError
        If the events read differ from the events expected (a chunk is missing or was read twice),
        or the sum of weights is not positive; names the dataset.
    """
    normalisations, merged = {}, {}
    for name, parts in flows.items():
        dataset = catalogue.dataset(name)
        flow = merge_cutflows(parts)
        merged[name] = flow
        first = flow.cuts[0]
        events, sumw = first.events, first.sumw
        expected, left_out = expected_events.get(name), (lost or {}).get(name, 0)
        if catalogue.kind == "skims" and not dataset.is_data:
            if dataset.generated_events is None:
                raise TaipanError(f"datasets.{name}.generated_events: needed to normalise a skim")
            events = dataset.generated_events
            sumw = float(events) if dataset.sumw is None else dataset.sumw
        elif catalogue.kind != "skims" and expected is not None and expected != events + left_out:
            raise TaipanError(
                f"dataset '{name}': {events} events read, {expected - left_out} expected; "
                "a chunk is missing or was read twice"
            )
        elif left_out == 0 and dataset.sumw is not None and abs(sumw / dataset.sumw - 1.0) > 1e-6:
            raise TaipanError(
                f"dataset '{name}': Σ genWeight is {sumw}, the catalogue has {dataset.sumw}"
            )
        try:
            scale = 1.0 if dataset.is_data else event_scale(dataset, luminosity, sumw)
        except TaipanError as error:
            raise TaipanError(f"dataset '{name}': {error}") from error
        normalisations[name] = Normalisation(
            name, dataset.is_data, scale, events, sumw, luminosity, left_out
        )
    return normalisations, merged


def to_dict(normalisations: Mapping[str, Normalisation]) -> dict[str, Any]:
    """Return a JSON-able form."""
    return {name: asdict(item) for name, item in normalisations.items()}


def from_dict(content: Mapping[str, Any]) -> dict[str, Normalisation]:
    """Rebuild from :func:`to_dict`."""
    return {name: Normalisation(**item) for name, item in content.items()}
