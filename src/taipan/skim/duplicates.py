"""Events that occur twice: in a file, in two files of a dataset, or in two datasets of data.

Each event of collision data is one collision, whatever file it comes from: its run, luminosity
block and event number tell. Simulation may number the events of two jobs alike, so there the
numbers and the content must be the same. In flat ntuples, which have no event numbers, the stored
kinematics are the identity.

The lists of all chunks are compared a range of identities at a time, so the memory that it takes
does not grow with the number of events.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError
from taipan.skim.cutflow import Cut, Cutflow
from taipan.skim.identities import Identities, count_identities, join_identities, read_identities
from taipan.skim.parts import GeneratedSums

Array = NDArray[Any]

PASS_EVENTS = 2_000_000
"""Events that are compared at a time."""
ONCE = "once"
"""Last cut of a cutflow with `skim.duplicates: first`: events that did not occur before."""
_LONGEST = 8  # places named in a message
_NONE = GeneratedSums(0, 0.0, 0.0)


@dataclass(frozen=True)
class ChunkList:
    """The list of the events of a chunk: its dataset, the file it was read from, and the list."""

    dataset: str
    file: str
    path: Path


@dataclass(frozen=True)
class Repeats:
    """Events of a chunk that occur before, in it or in an earlier one.

    Attributes
    ----------
    read
        Number, Σ genWeight and Σ genWeight² of those read.
    kept
        The same of those that the skim keeps.
    rows
        Rows of the latter among the events kept, ascending.
    """

    read: GeneratedSums = _NONE
    kept: GeneratedSums = _NONE
    rows: tuple[int, ...] = ()


Places = Counter[tuple[tuple[str, str], tuple[str, str]]]
"""(dataset and file of an event, dataset and file where it occurs before) → number of events."""


@dataclass(frozen=True)
class Duplicates:
    """What was found in a set of chunks.

    Attributes
    ----------
    chunks
        Dataset → repeats of each chunk, in the order of the chunks.
    files
        Dataset → file → repeats read from it, for the files that have some.
    places
        Where they are and where they were before.
    """

    chunks: Mapping[str, tuple[Repeats, ...]]
    files: Mapping[str, Mapping[str, GeneratedSums]]
    places: Places

    def read(self, dataset: str) -> GeneratedSums:
        """Add up the repeats that were read of a dataset."""
        return sum((item.read for item in self.chunks.get(dataset, ())), _NONE)

    def kept(self, dataset: str) -> GeneratedSums:
        """Add up the repeats of a dataset that the skim keeps."""
        return sum((item.kept for item in self.chunks.get(dataset, ())), _NONE)


def find_duplicates(
    lists: Sequence[ChunkList], data: Sequence[str], pass_events: int = PASS_EVENTS
) -> Duplicates:
    """Find the events that occur more than once; the first of them is not counted.

    Within a dataset every event read is compared. Two datasets of collision data may share events
    that the selection takes from one of them alone, so between them the selected events count. The
    events of two simulated datasets are never the same.

    Parameters
    ----------
    lists
        Lists of all chunks, those of a dataset in the order in which they are read.
    data
        Datasets of collision data, in the order in which an event is looked for.
    pass_events
        Events that are compared at a time.

    Raises
    ------
    TaipanError
        If a list cannot be read; names it.
    """
    found: dict[str, tuple[Repeats, ...]] = {}
    places: Places = Counter()
    for name in dict.fromkeys(item.dataset for item in lists):
        own = [item for item in lists if item.dataset == name]
        found[name] = tuple(_compare(own, places, pass_events))
    shared = [item for name in data for item in lists if item.dataset == name]
    if len({item.dataset for item in shared}) > 1:
        known = [repeats for name in data for repeats in found.get(name, ())]
        again = _compare(shared, places, pass_events, selected=known)
        position = 0
        for name in dict.fromkeys(item.dataset for item in shared):
            stop = position + len(found[name])
            found[name] = tuple(
                map(_add, found[name], again[position:stop]),
            )
            position = stop
    files: dict[str, dict[str, GeneratedSums]] = {}
    for name, repeats in found.items():
        own = [item for item in lists if item.dataset == name]
        for item, repeat in zip(own, repeats, strict=True):
            if repeat.read.events:
                sums = files.setdefault(name, {})
                sums[item.file] = sums.get(item.file, _NONE) + repeat.read
    return Duplicates(found, files, places)


def _add(first: Repeats, second: Repeats) -> Repeats:
    rows = tuple(sorted((*first.rows, *second.rows)))
    return Repeats(first.read + second.read, first.kept + second.kept, rows)


def _compare(
    lists: Sequence[ChunkList],
    places: Places,
    pass_events: int,
    selected: Sequence[Repeats] | None = None,
) -> list[Repeats]:
    """Find the repeats of each chunk; of selected events alone where the known ones are given."""
    found = [Repeats()] * len(lists)
    total = sum(count_identities(item.path) for item in lists)
    passes = max(1, -(-total // pass_events))
    edges = [2**64 * i // passes for i in range(passes + 1)]
    for low, high in itertools.pairwise(edges):
        for repeats, chunk, before in _search(lists, low, high, pass_events, selected):
            for number in np.unique(chunk):
                mine = repeats.take(chunk == number)
                found[number] = _add(found[number], _sum_up(mine))
            pairs, counts = np.unique(np.stack([chunk, before]), axis=1, return_counts=True)
            for (here, there), count in zip(pairs.T, counts, strict=True):
                one, other = lists[here], lists[there]
                key = ((one.dataset, one.file), (other.dataset, other.file))
                places[key] += int(count)
    return found


def _sum_up(events: Identities) -> Repeats:
    kept = events.row >= 0
    rows = tuple(int(row) for row in np.sort(events.row[kept]))
    return Repeats(_sums(events.weight), _sums(events.weight[kept]), rows)


def _sums(weights: Array) -> GeneratedSums:
    values = weights.astype(np.float64)
    return GeneratedSums(len(values), float(values.sum()), float((values**2).sum()))


def _search(
    lists: Sequence[ChunkList],
    low: int,
    high: int,
    most: int,
    selected: Sequence[Repeats] | None,
) -> Iterator[tuple[Identities, Array, Array]]:
    """Yield the repeats in a range of identities, their chunks, and those they occur in before."""
    waiting: list[Identities] = []
    chunks: list[Array] = []
    held = 0
    for number, item in enumerate(lists):
        events = read_identities(item.path, low, high)
        if selected is not None:
            fresh = (events.row >= 0) & ~np.isin(
                events.row, np.array(selected[number].rows, np.int32)
            )
            events = events.take(fresh)
        waiting.append(events)
        chunks.append(np.full(len(events), number, np.int32))
        held += len(events)
        # many repeats of one event are all in one range: drop them before there are too many
        if held > 2 * most or number == len(lists) - 1:
            joined, chunk = join_identities(waiting), np.concatenate(chunks)
            order = np.argsort(joined.identity, kind="stable")
            joined, chunk = joined.take(order), chunk[order]
            fresh = np.ones(len(joined), dtype=bool)
            fresh[1:] = joined.identity[1:] != joined.identity[:-1]
            before = chunk[np.flatnonzero(fresh)[np.cumsum(fresh) - 1]] if len(fresh) else chunk
            if not fresh.all():
                yield joined.take(~fresh), chunk[~fresh], before[~fresh]
            waiting, chunks, held = [joined.take(fresh)], [chunk[fresh]], int(fresh.sum())


def refuse_duplicates(found: Duplicates) -> None:
    """Refuse events that occur twice.

    Raises
    ------
    TaipanError
        If there are any; one line for each two files that share some.
    """
    lines = [
        f"skim.duplicates: {_describe(*place, count)}; each event must count once (mend the list "
        "of files, or set skim.duplicates to first, which keeps the first of each)"
        for place, count in found.places.most_common(_LONGEST)
    ]
    if len(found.places) > _LONGEST:
        lines.append(f"skim.duplicates: and {len(found.places) - _LONGEST} more pairs of files")
    if lines:
        raise TaipanError("\n".join(lines))


def refuse_between_eras(found: Duplicates) -> None:
    """Refuse events of collision data that are in two eras; datasets are ``<era>:<dataset>``.

    Raises
    ------
    TaipanError
        One line for each two datasets of different eras that share some.
    """
    shared: Counter[tuple[str, str]] = Counter()
    for (here, there), count in found.places.items():
        if here[0].partition(":")[0] != there[0].partition(":")[0]:
            shared[here[0], there[0]] += count
    lines = []
    for (here_name, there_name), count in shared.items():
        era, _, dataset = here_name.partition(":")
        other, _, before = there_name.partition(":")
        lines.append(
            f"eras.{era}.data: {count} events of '{dataset}' are in '{before}' of era {other}, too;"
            " a run belongs to one era (mend the files, or the certified luminosity, of one)"
        )
    if lines:
        raise TaipanError("\n".join(lines))


def _describe(here: tuple[str, str], there: tuple[str, str], count: int) -> str:
    """Say where events occur twice."""
    events = f"{count} event{'s' if count > 1 else ''}"
    verb = "occur" if count > 1 else "occurs"
    if here == there:
        return f"dataset '{here[0]}': {events} of {here[1]} {verb} twice in it"
    if here[0] == there[0]:
        return f"dataset '{here[0]}': {events} of {here[1]} {verb} in {there[1]}, too"
    return f"dataset '{here[0]}': {events} of {here[1]} {verb} in dataset '{there[0]}', too"


def count_once(flow: Cutflow, found: Duplicates) -> Cutflow:
    """Append the cut `once` to a cutflow: the events left when those that occur before are out."""
    last, lost = flow.cuts[-1], found.kept(flow.dataset)
    left = Cut(
        ONCE, last.events - lost.events, last.sumw - lost.sumw, max(last.sumw2 - lost.sumw2, 0.0)
    )
    return Cutflow(flow.dataset, (*flow.cuts, left))


def describe_duplicates(
    found: Duplicates, same_period: Mapping[str, str | None] | None = None
) -> list[str]:
    """Say what was left out, a line for each dataset, and where a luminosity may count twice.

    Parameters
    ----------
    found
        Events that occur before.
    same_period
        Dataset of collision data → the one whose running period and luminosity it shares, if any.
    """
    lines = []
    periods = {name: other or name for name, other in (same_period or {}).items()}
    for name in found.chunks:
        lost = found.read(name)
        if lost.events:
            lines.append(
                f"skim.duplicates: {lost.events} events of {name} occur before and are left out "
                f"({found.kept(name).events} of them selected)"
            )
    shared = {(here[0], there[0]) for here, there in found.places if here[0] != there[0]}
    for name, other in sorted(shared):
        if periods.get(name, name) != periods.get(other, other):
            lines.append(
                f"skim.duplicates: {name} and {other} share events, but the luminosities of both "
                f"count; if they are of one running period, set datasets.{name}.same_period to "
                f"{other} in the catalogue"
            )
    return lines
