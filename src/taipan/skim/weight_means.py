"""Mean of every generator weight of a dataset before any cut, over all its files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from taipan.errors import TaipanError
from taipan.labels import SUMS_BRANCHES
from taipan.skim.parts import RUNS, GeneratedSums, Part
from taipan.systematics.base import Systematic
from taipan.systematics.members import Members, select_generator

logger = logging.getLogger(__name__)

_PRECISION = 0.01
"""Largest difference of two means of the same events; NanoAOD rounds weights, not their sums."""


@dataclass(frozen=True)
class WeightMeans:
    """Means of the weights of a branch over all generated events of a dataset.

    Attributes
    ----------
    title
        Title of the branch, which says what the members are.
    count
        Number of members.
    means
        Σ genWeight · weight / Σ genWeight of each member; None if they are not known.
    unknown
        Why they are not known, empty if they are.
    """

    title: str
    count: int
    means: tuple[float, ...] | None
    unknown: str = ""


def average_weights(dataset: str, parts: Sequence[Part]) -> dict[str, WeightMeans]:
    """Average the lists of generator weights of a dataset over its generated events.

    A file with fewer events than its `Runs` counts was skimmed before: its `Runs` gives the sums.
    Each part counts once; parts that were left out have none.

    Parameters
    ----------
    dataset
        Name, for messages.
    parts
        What was read.

    Returns
    -------
    dict
        Branch → means.

    Raises
    ------
    TaipanError
        If two files have different numbers of weights, or other meanings of them; names dataset,
        files and branch.
    """
    read = [part for part in parts if part.entries is not None]
    branches = dict.fromkeys(branch for part in read for branch in part.lists)
    return {branch: _average(dataset, branch, read) for branch in branches}


def _average(dataset: str, branch: str, parts: Sequence[Part]) -> WeightMeans:
    first = parts[0].lists[branch]
    for part in parts[1:]:
        other = part.lists[branch]
        where = f"dataset '{dataset}': {part.file}: {branch}"
        if other.count != first.count:
            raise TaipanError(
                f"{where} has {other.count} weights, but {first.count} in {parts[0].file}; all "
                "files of a dataset must have the same (divide the dataset, or take the file out)"
            )
        if other.title != first.title:
            raise TaipanError(
                f"{where} means {other.title!r}, but {first.title!r} in {parts[0].file}; all files "
                "of a dataset must mean the same (divide the dataset, or take the file out)"
            )
    files: dict[str, list[Part]] = {}
    for part in parts:
        files.setdefault(part.file, []).append(part)
    sums, total = np.zeros(first.count), 0.0
    for name, group in files.items():
        found = _file_sums(f"dataset '{dataset}': {name}", branch, group)
        if isinstance(found, str):
            return WeightMeans(first.title, first.count, None, found)
        sums, total = sums + found[0], total + found[1]
    means = sums / total if total else np.zeros(first.count)
    return WeightMeans(first.title, first.count, tuple(map(float, means)))


def _file_sums(
    where: str, branch: str, group: Sequence[Part]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float] | str:
    """Give Σ genWeight · weight and Σ genWeight of the generated events of a file, or why not."""
    read = sum((part.read for part in group), GeneratedSums(0, 0.0, 0.0))
    sums = np.sum([part.lists[branch].read for part in group], axis=0)
    generated, of_runs = group[0].generated, group[0].lists[branch].generated
    if generated is None or generated.events <= read.events:
        if generated is not None and of_runs is not None and read.sumw and generated.sumw:
            _compare(where, branch, sums / read.sumw, np.asarray(of_runs) / generated.sumw)
        return sums, read.sumw
    if of_runs is None:
        return (
            f"{where} holds {read.events} of {generated.events} generated events, and its tree "
            f"{RUNS} has no {SUMS_BRANCHES[branch]}"
        )
    left = int(group[0].entries or 0) - read.events
    if left > 0:  # entries of a damaged file that were left out; the means are those of all of it
        logger.info("%s: %d entries left out", where, left)
    return np.asarray(of_runs), generated.sumw


def _compare(where: str, branch: str, read: object, stated: object) -> None:
    difference = float(np.max(np.abs(np.asarray(read) - np.asarray(stated))))
    if difference > _PRECISION:
        logger.warning(
            "%s: the mean of %s over the events differs by %.3g from that of %s; that of the "
            "events is used",
            *(where, branch, difference, RUNS),
        )


def choose_generator(
    systematics: Mapping[str, Systematic],
    datasets: Mapping[str, Sequence[str]],
    found: Mapping[str, Mapping[str, WeightMeans]],
) -> dict[str, dict[str, Members]]:
    """Say which members the systematics of generator weights use of each sample, and check them.

    Parameters
    ----------
    systematics
        Of the configuration; those of other kinds are left alone.
    datasets
        Sample → its datasets.
    found
        Dataset → branch → means.

    Returns
    -------
    dict
        Systematic → sample → members.

    Raises
    ------
    TaipanError
        If the members cannot be told, differ between datasets of a sample, or have no mean that is
        positive where it is needed; one line a problem, with systematic, dataset and branch.
    """
    chosen: dict[str, dict[str, Members]] = {}
    problems: list[str] = []
    for name, item in select_generator(systematics).items():
        for sample in item.samples:
            for dataset in datasets.get(sample, ()):
                path = f"systematics.{name}: dataset '{dataset}', {item.branch}"
                means = found.get(dataset, {}).get(item.branch)
                if means is None:
                    problems.append(f"{path}: the skim has none; run it again")
                    continue
                try:
                    members = item.choose_members(means.title, means.count)
                    before = chosen.setdefault(name, {}).setdefault(sample, members)
                    _check_means(item.normalisation, means, members)
                except TaipanError as error:
                    problems.append(f"{path}: {error}")
                    continue
                if before != members:
                    problems.append(
                        f"{path}: its {means.count} weights are others than those of the dataset "
                        f"before it in samples.{sample}.datasets; one sample needs the same in all "
                        "(divide it)"
                    )
    if problems:
        raise TaipanError("\n".join(problems))
    return chosen


def _check_means(normalisation: str, means: WeightMeans, members: Members) -> None:
    if normalisation != "acceptance":
        return
    if means.means is None:
        raise TaipanError(
            f"{means.unknown}; so that a change of the cross section cannot be told from one of "
            "the acceptance (normalisation: shape or full, or unskimmed files)"
        )
    for place in members.used:
        if not means.means[place] > 0.0:
            raise TaipanError(
                f"the mean of member {place} before any cut is {means.means[place]:.6g}; it must "
                "be positive (normalisation: shape or full)"
            )
