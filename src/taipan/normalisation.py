"""Normalisation of every dataset, from the catalogue and the merged cutflows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from taipan.datasets import Catalogue, event_scale
from taipan.errors import TaipanError
from taipan.skim.cutflow import Cutflow, merge_cutflows
from taipan.skim.duplicates import Duplicates
from taipan.skim.parts import (
    AGREEMENT,
    RUNS,
    GeneratedSums,
    Part,
    check_branches,
    check_every_entry,
    check_generator_weights,
    sum_generated,
)
from taipan.skim.weight_means import WeightMeans, average_weights
from taipan.table_format import weight_scale


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
    sumw_origin
        Where `sumw` comes from: ``events`` (all of them read), ``Runs`` (tree of the generated
        events) or ``catalogue``.
    events_read, sumw_read
        Events in the files and their Σ genWeight; less than what was generated where the files
        were skimmed before.
    parts
        Number of skim jobs, which together read every entry once.
    skipped_events
        Events of damaged files that were left out (`skim.on_bad_file`); not in the above.
    duplicate_events
        Events that occur before and were left out (`skim.duplicates`); `events_read` and
        `sumw_read` have them, `generated_events` and `sumw` do not.
    weight_means
        Branch with a list of generator weights → their means before any cut, for the branches
        that systematics need.
    """

    dataset: str
    is_data: bool
    scale: float
    generated_events: int
    sumw: float
    luminosity: float
    sumw_origin: str = "events"
    events_read: int = 0
    sumw_read: float = 0.0
    parts: int = 0
    skipped_events: int = 0
    duplicate_events: int = 0
    weight_means: Mapping[str, WeightMeans] = field(default_factory=dict)


def normalise(
    catalogue: Catalogue,
    flows: Mapping[str, Sequence[Cutflow]],
    expected_events: Mapping[str, int | None],
    luminosity: float,
    lost: Mapping[str, int] | None = None,
    parts: Mapping[str, Sequence[Part]] | None = None,
    duplicates: Duplicates | None = None,
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
    parts
        Dataset → the ranges of entries that its chunks read.
    lost
        Dataset → events of damaged files left out on purpose; Σ genWeight and the number of
        events are those of the chunks that were read.
    duplicates
        Events that occur before and are left out: Σ genWeight and the number of events do not
        count them.

    Returns
    -------
    normalisations, cutflows
        By dataset.

    Raises
    ------
    TaipanError
        If a chunk is missing or was read twice, sums of weights disagree (events, `Runs`,
        catalogue), two datasets were read with different branches, or the sum of weights is not
        positive; names the dataset. If all generator weights are zero or one is absurd.
    """
    parts = parts or {}
    duplicates = duplicates or Duplicates({}, {}, Counter())
    check_branches(parts)
    normalisations, merged = {}, {}
    for name, chunks in flows.items():
        flow = merge_cutflows(chunks)
        merged[name] = flow
        check_every_entry(name, parts.get(name, ()), catalogue.dataset(name).entries)
        check_generator_weights(name, parts.get(name, ()))
        left_out = (lost or {}).get(name, 0)
        repeated = duplicates.read(name)
        origin, size = _generated(name, catalogue, flow, parts.get(name, ()), duplicates)
        # a catalogue may state the entries of the files or the events, each counted once
        sizes = (size, size if origin == "catalogue" else size + repeated)
        _compare_with_catalogue(name, catalogue, sizes, expected_events.get(name), left_out)
        if not left_out:
            _compare_without_weights(name, catalogue, size, parts.get(name, ()))
        dataset = catalogue.dataset(name)
        try:
            scale = 1.0 if dataset.is_data else _scale(catalogue, name, luminosity, size.sumw)
        except TaipanError as error:
            raise TaipanError(f"dataset '{name}': {error}") from error
        normalisations[name] = Normalisation(
            name,
            dataset.is_data,
            scale,
            size.events,
            size.sumw,
            luminosity,
            origin,
            flow.cuts[0].events,
            flow.cuts[0].sumw,
            len(chunks),
            left_out,
            repeated.events,
            average_weights(name, parts.get(name, ())),
        )
    return normalisations, merged


def _scale(catalogue: Catalogue, name: str, luminosity: float, sumw: float) -> float:
    table = catalogue.table
    if table is not None and table.weight is not None:
        return weight_scale(table, luminosity, sumw)
    return event_scale(catalogue.dataset(name), luminosity, sumw)


def _generated(
    name: str,
    catalogue: Catalogue,
    flow: Cutflow,
    parts: Sequence[Part],
    duplicates: Duplicates,
) -> tuple[str, GeneratedSums]:
    """Size of the unskimmed sample and where it comes from."""
    dataset = catalogue.dataset(name)
    first = flow.cuts[0]
    if catalogue.kind == "skims" and not dataset.is_data:
        if dataset.generated_events is None:
            raise TaipanError(f"datasets.{name}.generated_events: needed to normalise a skim")
        events = dataset.generated_events
        sumw = float(events) if dataset.sumw is None else dataset.sumw
        return "catalogue", GeneratedSums(events, sumw, 0.0)
    if any(part.generated is not None for part in parts):
        return RUNS, sum_generated(name, parts, duplicates.files.get(name))
    read = GeneratedSums(first.events, first.sumw, first.sumw2)
    return "events", read - duplicates.read(name)


def _compare_with_catalogue(
    name: str,
    catalogue: Catalogue,
    sizes: tuple[GeneratedSums, GeneratedSums],
    expected: int | None,
    left_out: int,
) -> None:
    """Compare with what the catalogue states; `sizes` are without and with repeated events."""
    dataset, whole = catalogue.dataset(name), sizes[1]
    counts = [size.events + left_out for size in sizes]
    if catalogue.kind != "skims" and expected is not None and expected not in counts:
        raise TaipanError(
            f"dataset '{name}': {whole.events} events read, {expected - left_out} expected; "
            "a chunk is missing or was read twice"
        )
    stated = dataset.sumw
    if left_out or stated is None:
        return
    if not any(abs(size.sumw / stated - 1.0) <= AGREEMENT for size in sizes):
        raise TaipanError(
            f"dataset '{name}': Σ genWeight is {whole.sumw}, the catalogue has {stated}"
        )


def _compare_without_weights(
    name: str, catalogue: Catalogue, size: GeneratedSums, parts: Sequence[Part]
) -> None:
    """Compare Σ genWeight with the number of generated events, which it is if each counts 1."""
    dataset = catalogue.dataset(name)
    weighted = not parts or any(part.weighted for part in parts)
    if weighted or dataset.sumw is not None or catalogue.kind == "skims":
        return
    if abs(size.sumw - size.events) > AGREEMENT * size.events:
        raise TaipanError(
            f"dataset '{name}': Σ genWeight is {size.sumw:.9g} for {size.events} generated events, "
            "but its events have no genWeight, so each counts 1"
        )


def to_dict(normalisations: Mapping[str, Normalisation]) -> dict[str, Any]:
    """Return a JSON-able form."""
    content = {name: asdict(item) for name, item in normalisations.items()}
    for item in content.values():
        if not item["weight_means"]:
            del item["weight_means"]
    return content


def from_dict(content: Mapping[str, Any]) -> dict[str, Normalisation]:
    """Rebuild from :func:`to_dict`."""
    return {
        name: Normalisation(
            **{
                **item,
                "weight_means": {
                    branch: _means_of(means)
                    for branch, means in item.get("weight_means", {}).items()
                },
            }
        )
        for name, item in content.items()
    }


def _means_of(content: Mapping[str, Any]) -> WeightMeans:
    means = content["means"]
    return WeightMeans(**{**content, "means": None if means is None else tuple(means)})
