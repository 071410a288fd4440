"""Lists of generator weights of a file, read beside the other branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Column
from taipan.columns.event_block import Lists
from taipan.errors import BadFileError, UnreachableError
from taipan.remote.opening import brief
from taipan.skim.columns import read_columns
from taipan.skim.parts import read_generated_lists
from taipan.skim.schema import branch_title
from taipan.skim.weight_lists import (
    WeightSums,
    add_weighted,
    count_members,
    list_columns,
    member_columns,
    refuse_absent,
    square_lists,
)

Array = NDArray[Any]


def count_lists(
    tree: Any, branches: Sequence[str], entries: tuple[int, int], where: object
) -> dict[str, int]:
    """Count the generator weights of events, by the lengths of the lists alone.

    Parameters
    ----------
    tree
        TTree or RNTuple.
    branches
        Branches with lists.
    entries
        First entry, and the one after the last.
    where
        File, for messages.

    Returns
    -------
    dict
        Branch → number of weights of every event.

    Raises
    ------
    TaipanError
        If a branch is absent, or events have no weights or different numbers of them.
    """
    present = list(tree.keys())
    refuse_absent(present, branches, where)
    counts = {}
    for branch in branches:
        counter = f"n{branch}" if f"n{branch}" in present else branch
        found = _read(tree, counter, entries, where)
        lengths = found.counts if isinstance(found, Lists) else found
        counts[branch] = count_members(lengths, branch, where, entries[0])
    return counts


def _read(tree: Any, branch: str, entries: tuple[int, int], where: object) -> Array | Lists:
    try:
        return read_columns(tree, (branch,), *entries)[branch]
    except UnreachableError:
        raise
    except Exception as error:  # a damaged basket fails in uproot, NumPy or a codec
        raise BadFileError(
            f"{where}: entries {entries[0]} to {entries[1]}: {branch} cannot be read: "
            f"{brief(error)}"
        ) from error


class ListReader:
    """Reads lists of generator weights a step at a time, and adds them up before any cut.

    Parameters
    ----------
    tree
        TTree or RNTuple.
    branches
        Branches with lists; none: nothing is read.
    entries
        First entry that will be read, and the one after the last.
    where
        File, for messages.

    Raises
    ------
    TaipanError
        As of :func:`count_lists`.
    """

    def __init__(
        self, tree: Any, branches: Sequence[str], entries: tuple[int, int], where: object
    ) -> None:
        self._tree, self._where = tree, where
        self._counts = count_lists(tree, branches, entries, where)
        self._sums = {name: np.zeros(count) for name, count in self._counts.items()}

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the skim."""
        return list_columns(self._counts)

    def read(self, start: int, weights: Array | None, chosen: Array | None) -> dict[str, Array]:
        """Read a step, add its events up, and give the columns of those that are kept.

        Parameters
        ----------
        start
            First entry.
        weights
            genWeight of the events, shape (n,); None: each counts 1.
        chosen
            True for the events that are kept, shape (n,).

        Raises
        ------
        TaipanError
            If a weight is not finite, or a basket is damaged.
        """
        kept: dict[str, Array] = {}
        if chosen is None:
            return kept
        factors = np.ones(len(chosen)) if weights is None else weights
        for branch, count in self._counts.items():
            found = _read(self._tree, branch, (start, start + len(chosen)), self._where)
            assert isinstance(found, Lists)
            values = square_lists(found, branch, self._where, start)
            self._sums[branch] = self._sums[branch] + add_weighted(factors, values)
            kept |= zip(member_columns(branch, count), values[chosen].T, strict=True)
        return kept

    def result(self) -> dict[str, WeightSums]:
        """Return branch → its sums, with what `Runs` says of all generated events."""
        if not self._counts:
            return {}
        directory = self._tree.file.root_directory
        generated = read_generated_lists(directory, self._counts, self._where)
        return {
            branch: WeightSums(
                branch_title(self._tree[branch]), tuple(map(float, sums)), generated[branch]
            )
            for branch, sums in self._sums.items()
        }
