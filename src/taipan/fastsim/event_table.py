"""Columns of a file: one value an event, or a list an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.fastsim.kinematics import Bools, Floats, Ints

FlatColumn = npt.NDArray[Any]


@dataclass(frozen=True)
class Collection:
    """Lists of objects: ``counts`` of shape ``(n,)``, each column as long as their sum."""

    counts: Ints
    columns: Mapping[str, FlatColumn]


@dataclass(frozen=True)
class EventTable:
    """Scalars of shape ``(n,)`` and collections of ``n`` events, by branch name."""

    scalars: Mapping[str, FlatColumn]
    collections: Mapping[str, Collection]


def sort_by_pt(pt: Floats) -> Ints:
    """Order of the slots (last axis) by falling pT; equal values keep their order."""
    return np.argsort(-pt, axis=1, kind="stable")


def keep_filled(columns: Mapping[str, FlatColumn], order: Ints, filled: Bools) -> Collection:
    """Turn columns with slots, shape ``(n, k)``, into lists of the filled slots, in order."""
    kept = np.take_along_axis(filled, order, axis=1)
    return Collection(
        np.sum(kept, axis=1),
        {name: np.take_along_axis(column, order, axis=1)[kept] for name, column in columns.items()},
    )


def round_mantissa(values: FlatColumn, bits: int) -> npt.NDArray[np.float32]:
    """Round to ``bits`` bits of mantissa, to nearest, as NanoAOD does before compression.

    The relative error is at most 2^-(bits + 1).
    """
    integers = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    dropped = 23 - bits
    half = np.uint32(1 << (dropped - 1))
    mask = np.uint32((0xFFFFFFFF << dropped) & 0xFFFFFFFF)
    return ((integers + half) & mask).view(np.float32)
