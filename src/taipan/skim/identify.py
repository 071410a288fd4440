"""What tells an event from all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, SkimColumns
from taipan.columns.event_block import Lists
from taipan.columns.identity import hash_columns
from taipan.skim.identities import Identities, number_rows

Array = NDArray[Any]


def telling_branches(analysis: Analysis, is_data: bool) -> tuple[str, ...]:
    """Name the branches that tell an event from all others.

    Parameters
    ----------
    analysis
        Gives the branches.
    is_data
        True for collision data, of which the event numbers are enough.

    Returns
    -------
    tuple of str
        None if the analysis does not read the event numbers.
    """
    numbers = analysis.event_numbers
    if not numbers or not set(numbers) <= set(analysis.branches):
        return ()
    return numbers if is_data else (*numbers, *analysis.fingerprint)


def identify_events(
    first: Mapping[str, Array],
    columns: SkimColumns,
    chosen: Array,
    weights: Array,
    analysis: Analysis,
    *,
    is_data: bool,
) -> Identities:
    """Identify every event that was read or, without event numbers, those that are kept.

    Two simulated events with the same numbers are one only if generator weight and fingerprint are
    equal, too (without a fingerprint, all that is read of every event): the jobs of a production
    may number their events alike.

    Parameters
    ----------
    first
        Branches read of every event, shape (n,).
    columns
        Skim columns of the events that are kept.
    chosen
        True for the events that are kept, shape (n,).
    weights
        Generator weights, shape (n,).
    analysis, is_data
        As for :func:`telling_branches`.
    """
    names = telling_branches(analysis, is_data)
    if not names:
        return identify_kept(columns, weights[chosen], analysis, is_data=is_data)
    if not is_data:
        told = analysis.fingerprint or tuple(first)
        weight = ("genWeight",) if "genWeight" in first else ()
        names = tuple(dict.fromkeys((*names, *told, *weight)))
    return Identities(hash_columns([first[name] for name in names]), weights, number_rows(chosen))


def identify_kept(
    columns: SkimColumns, weights: Array, analysis: Analysis, *, is_data: bool
) -> Identities:
    """Identify events that are kept by their `event_hash` and, in simulation, their content.

    Parameters
    ----------
    columns
        Skim columns, shape (n,) or lists.
    weights
        Generator weights, shape (n,).
    analysis, is_data
        As for :func:`telling_branches`.
    """
    names = ["event_hash"]
    if not is_data:
        names += [column.name for column in analysis.columns if not column.jagged]
    values = [columns[name] for name in dict.fromkeys(names)]
    identity = hash_columns([item for item in values if not isinstance(item, Lists)])
    return Identities(identity, weights, np.arange(len(identity), dtype=np.int32))
