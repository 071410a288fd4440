"""Lists of generator weights: read with the events, added up before any cut.

NanoAOD has a number an event for each member of `LHEScaleWeight`, `LHEPdfWeight` and `PSWeight`,
relative to the nominal weight. The sums over all generated events tell how much of a change is a
change of the cross section. They come from the events themselves or, where the file was skimmed
before, from its tree `Runs`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Column
from taipan.columns.event_block import Lists
from taipan.errors import TaipanError

logger = logging.getLogger(__name__)
Array = NDArray[Any]

_ROWS = 20_000  # events whose weights are added at a time, in double precision
_LIKELY = (0.3, 3.0)
"""Mean of the weights of a member, relative to the nominal: sums outside were added differently."""
_WHOLE = 1e-3  # a number of files is whole, up to the precision of the weights


@dataclass(frozen=True)
class WeightSums:
    """Sums of the lists of a branch over a part of a file.

    Attributes
    ----------
    title
        Title of the branch, which says what the members are.
    read
        Σ genWeight · weight of the events read, a number a member.
    generated
        The same of all generated events of the file, of its tree `Runs`; None where that lacks it.
    """

    title: str
    read: tuple[float, ...]
    generated: tuple[float, ...] | None = None

    @property
    def count(self) -> int:
        """Number of members."""
        return len(self.read)


def list_columns(counts: Mapping[str, int]) -> tuple[Column, ...]:
    """Give the columns of the skim for lists of weights: one for each member.

    Parameters
    ----------
    counts
        Branch → number of its members.
    """
    meaning = "generator weight relative to the nominal one"
    return tuple(
        Column(name, "float32", "", meaning)
        for branch, count in counts.items()
        for name in member_columns(branch, count)
    )


def member_columns(branch: str, count: int) -> tuple[str, ...]:
    """Name the columns of the members of a branch."""
    return tuple(f"{branch}_{member}" for member in range(count))


def count_members(counts: Array, branch: str, where: object, start: int = 0) -> int:
    """Give the number of weights of an event, the same for all.

    Parameters
    ----------
    counts
        Number of weights of each event, shape (n,).
    branch, where
        Its name and the file, for messages.
    start
        Entry of the first event.

    Raises
    ------
    TaipanError
        If it is zero or differs between events; names file, branch and numbers.
    """
    values, first, events = np.unique(counts, return_index=True, return_counts=True)
    if len(values) > 1:
        usual = int(values[np.argmax(events)])
        parts = ", ".join(
            f"{value} in {number} event{'s' if number > 1 else ''} (first in entry {start + place})"
            for value, place, number in zip(values, first, events, strict=True)
        )
        raise TaipanError(
            f"{where}: {branch} has weights of another number: {parts}; every event must have the "
            f"same (most have {usual}; take the file out of the list, or mend it)"
        )
    if not len(values) or values[0] == 0:
        raise TaipanError(
            f"{where}: {branch} has no weights (0 in each of {len(counts)} events); take its "
            "datasets out of the systematics that need it"
        )
    return int(values[0])


def refuse_absent(present: Sequence[str], branches: Sequence[str], where: object) -> None:
    """Refuse a file without a branch of generator weights.

    Raises
    ------
    TaipanError
        Naming file and branch, and those that there are.
    """
    for branch in branches:
        if branch not in present:
            others = [name for name in present if name.endswith("Weight") and name[:3] in "LHE,PSW"]
            raise TaipanError(
                f"{where}: no branch '{branch}', which systematics of generator weights need (it "
                f"has {', '.join(others) or 'no generator weights'}; take its datasets out of them)"
            )


def square_lists(lists: Lists, branch: str, where: object, start: int) -> Array:
    """Turn the lists of a branch into an array of shape (n, members).

    Raises
    ------
    TaipanError
        If the events have different numbers of weights, or a weight is not finite.
    """
    members = count_members(lists.counts, branch, where, start)
    values = lists.values.astype(np.float32, copy=False).reshape(-1, members)
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        entry = start + int(np.flatnonzero(~finite)[0])
        raise TaipanError(
            f"{where}: {branch} is NaN or infinite in {int((~finite).sum())} events, first in entry"
            f" {entry} (every weight must be a finite number; mend the file, or take it out of the "
            "list)"
        )
    return values


def add_weighted(weights: Array, values: Array) -> Array:
    """Add up weight · value of events for each member, in double precision.

    Parameters
    ----------
    weights
        Shape (n,).
    values
        Shape (n, members).

    Returns
    -------
    Array
        Shape (members,).
    """
    total = np.zeros(values.shape[1])
    for low in range(0, len(values), _ROWS):
        rows = slice(low, low + _ROWS)
        total += weights[rows].astype(np.float64) @ values[rows].astype(np.float64)
    return total


def read_list_sums(
    runs: Any, names: Sequence[str], sumw: str, count: int, where: object
) -> tuple[float, ...] | None:
    """Read the sums of a branch of weights over all generated events from a tree `Runs`.

    NanoAOD divides them by Σ genWeight. Older versions, and ``hadd``, then add the quotients of the
    files that are merged, so that they are as many times too large: the nominal weight among the
    scales, which is 1, or their size tells how many files were merged. They count as equally large
    then. Sums that are not divided are taken as they are.

    Parameters
    ----------
    runs
        Tree.
    names
        Branches: of the sums, and of the sums of scale weights.
    sumw
        Branch with Σ genWeight.
    count
        Number of members.
    where
        File, for messages.

    Returns
    -------
    tuple of float or None
        Σ genWeight · weight of each member; None if the tree lacks it.

    Raises
    ------
    TaipanError
        If they have another number than the events, or nobody can tell how they were added.
    """
    found = {name: _find(runs, name) for name in names}
    wanted = found[names[0]]
    if wanted is None:
        return None
    rows = wanted.array(library="np")
    totals = np.asarray(runs[sumw].array(library="np"), dtype=np.float64)
    scales = found[names[1]]
    nominal = [None] * len(rows) if scales is None else list(scales.array(library="np"))
    sums = np.zeros(count)
    for row, total, scale in zip(rows, totals, nominal, strict=True):
        if len(row) == 0 and total == 0.0:
            continue  # a run without events
        if len(row) != count:
            raise TaipanError(
                f"{where}: {names[0]} of tree 'Runs' has {len(row)} sums, but the events have "
                f"{count} weights"
            )
        sums += _undivided(np.asarray(row, dtype=np.float64), float(total), scale, names[0], where)
    return tuple(map(float, sums))


def _find(runs: Any, name: str) -> Any:
    present = set(runs.keys())
    return next((runs[key] for key in (name, f"{name}_") if key in present), None)


def _undivided(row: Array, total: float, scale: Any, name: str, where: object) -> Array:
    """Give Σ genWeight · weight, whatever the sums of a row were divided by."""
    typical = float(np.median(row))
    if total != 0.0 and _LIKELY[0] < typical / total < _LIKELY[1] and abs(total) > 100.0:
        return row
    merged = 1.0
    if scale is not None and len(scale) == 9:
        merged = float(scale[4])
    elif not _LIKELY[0] < typical < _LIKELY[1]:
        merged = float("nan")
    files = round(merged) if np.isfinite(merged) else 0
    if (
        files < 1
        or abs(merged - files) > _WHOLE * files
        or not (_LIKELY[0] < typical / files < _LIKELY[1])
    ):
        raise TaipanError(
            f"{where}: {name} of tree 'Runs' is {typical:.6g} (median of its members), neither Σ "
            f"genWeight · weight nor that divided by Σ genWeight ({total:.6g}); systematics take "
            "it with normalisation full or shape, or from unskimmed files"
        )
    if files > 1:
        logger.warning("%s: %s adds %d merged files; their mean is used", where, name, files)
    return row * (total / files)
