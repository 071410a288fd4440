"""A dataset's skimmed events in blocks, for jobs whose memory must not grow with all columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.atomic import read_json
from taipan.columns.identity import assign_folds
from taipan.errors import TaipanError
from taipan.events.load import DatasetEvents, correct_events, divide_estimate, select_fold
from taipan.events.weights import read_vertex_weights, weigh_events
from taipan.normalisation import Normalisation, from_dict
from taipan.skim.storage import iterate_events, read_events
from taipan.skim.weight_lists import list_columns, member_columns

BLOCK = 200_000
"""Events of a block."""
_WEIGHED_BY = ("event_hash", "genWeight", "PV_npvs")


def stream_dataset(
    dataset: str,
    paths: Sequence[Path | str],
    normalisation: Path | str,
    pileup: Path | str,
    analysis: Analysis,
    folds: int,
    *,
    drop_fold: int | None = None,
    keep_fold: int | None = None,
    block: int = BLOCK,
    weight_lists: Sequence[str] = (),
) -> Iterator[DatasetEvents]:
    """Read a dataset in blocks, each with its events, weights and folds.

    Weights and folds are those of :func:`taipan.events.load.load_dataset`. Where they depend on all
    events (vertex weights keep their sum, a fold that is left out is made up for), the few columns
    that they need are read first, of all events.

    Parameters
    ----------
    dataset, paths
        Name, and its Parquet files.
    normalisation, pileup
        JSON files of the rules ``normalise`` and ``measure_pileup``.
    analysis
        Gives the columns.
    folds
        Number of folds.
    drop_fold
        Fold of events to leave out of simulation and estimates from data, at the same expected
        yield.
    keep_fold
        The only fold of events to keep, in the same way; then `drop_fold` is not looked at.
    block
        Events of a block, before a fold is left out.
    weight_lists
        Branches with lists of generator weights that the skim kept.

    Yields
    ------
    DatasetEvents
        Of at most `block` events.

    Raises
    ------
    TaipanError
        If a file is damaged, or the skim has no such weights.
    """
    norm = from_dict(read_json(normalisation))[dataset]
    measured = read_json(pileup)
    vertices = read_vertex_weights(measured)
    members = _count_members(norm, weight_lists)
    columns = (*analysis.columns, *list_columns(members))
    inside = keep_fold is not None
    fold = keep_fold if inside else drop_fold
    if fold is None and (norm.is_data or vertices is None):
        for some in iterate_events(paths, columns, block):
            yield _finish(_weigh_alone(dataset, norm, some, folds), members, analysis)
        return
    few = read_events(paths, [c for c in analysis.columns if c.name in _WEIGHED_BY])
    weights = None if norm.is_data else weigh_events(few, norm.scale, vertices, dataset)
    whole = DatasetEvents(
        dataset, norm.is_data, {}, weights, assign_folds(few["event_hash"], folds)
    )
    kept = None
    if fold is not None and norm.is_data:
        whole = divide_estimate(whole, fold, inside=inside)
    elif fold is not None:
        kept = (whole.folds == fold) == inside
        whole = select_fold(whole, fold, inside=inside)
    del few
    for part in _cut(whole, iterate_events(paths, columns, block), kept):
        yield _finish(part, members, analysis)


def _weigh_alone(
    dataset: str, norm: Normalisation, columns: Mapping[str, NDArray[Any]], folds: int
) -> DatasetEvents:
    """Weigh events that need no other events of their dataset."""
    weights = None if norm.is_data else weigh_events(columns, norm.scale, None, dataset)
    numbers = assign_folds(columns["event_hash"], folds)
    return DatasetEvents(dataset, norm.is_data, columns, weights, numbers)


def _finish(part: DatasetEvents, members: Mapping[str, int], analysis: Analysis) -> DatasetEvents:
    """Take the lists of weights out of the columns, and apply corrections."""
    found = dict(part.columns)
    lists = {
        branch: tuple(found.pop(name) for name in member_columns(branch, count))
        for branch, count in members.items()
    }
    return correct_events(replace(part, columns=found, weight_lists=lists), analysis)


def _count_members(norm: Normalisation, branches: Sequence[str]) -> dict[str, int]:
    """Give the number of members of each branch of generator weights."""
    absent = [name for name in branches if name not in norm.weight_means]
    if absent:
        raise TaipanError(f"dataset '{norm.dataset}', {absent[0]}: the skim has none; run it again")
    return {name: norm.weight_means[name].count for name in branches}


def _cut(
    whole: DatasetEvents,
    blocks: Iterator[Mapping[str, NDArray[Any]]],
    kept: NDArray[np.bool_] | None,
) -> Iterator[DatasetEvents]:
    """Give each block of columns its part of the weights and folds of the events kept."""
    read = start = 0
    for columns in blocks:
        count = len(columns["event_hash"])
        mask = slice(None) if kept is None else kept[read : read + count]
        chosen = {name: values[mask] for name, values in columns.items()}
        stop = start + len(chosen["event_hash"])
        weights = whole.weights and whole.weights.take(slice(start, stop))
        folds = whole.folds[start:stop]
        estimate = None if whole.estimate is None else whole.estimate[start:stop]
        yield DatasetEvents(whole.name, whole.is_data, chosen, weights, folds, estimate)
        read, start = read + count, stop
