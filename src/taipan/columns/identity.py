"""Event identity and folds: a hash that depends on the event alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
"""By which the state of SplitMix64 advances (G. Steele, D. Lea and C. Flood, OOPSLA 2014)."""


def _mix(value: Array) -> Array:
    """SplitMix64 on uint64 arrays."""
    with np.errstate(over="ignore"):
        return finalise(value + GOLDEN_GAMMA)


def finalise(value: Array) -> Array:
    """Mix the bits of uint64 numbers: SplitMix64's output function, of a state advanced before."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))


def hash_event_numbers(run: Array, lumi: Array, event: Array) -> Array:
    """Hash (run, luminosity block, event number).

    Parameters
    ----------
    run, lumi, event
        Integers, shape (n,).

    Returns
    -------
    ndarray
        uint64, shape (n,).
    """
    value = np.zeros(len(event), dtype=np.uint64)
    for number in (run, lumi, event):
        value = _mix(value ^ np.asarray(number).astype(np.uint64))
    return value


def hash_columns(columns: Sequence[Array]) -> Array:
    """Hash the bits of float32 or integer columns: the identity where there is no event number.

    Parameters
    ----------
    columns
        Arrays of shape (n,); floats are taken as float32, so that storage does not matter.

    Returns
    -------
    ndarray
        uint64, shape (n,).
    """
    value = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        values = np.asarray(column)
        if values.dtype.kind == "f":
            bits = (values.astype(np.float32) + np.float32(0.0)).view(np.uint32)  # -0 becomes +0
        else:
            bits = values
        value = _mix(value ^ bits.astype(np.uint64))
    return value


def hash_objects(event_hash: Array, *columns: Array) -> Array:
    """Hash objects of events: the identity of the event with the bits of float32 columns.

    Parameters
    ----------
    event_hash
        Of the event of each object, shape (n,).
    columns
        Of the objects, shape (n,), such as directions, which no change of energy moves.

    Returns
    -------
    ndarray
        uint64, shape (n,).
    """
    value = event_hash.astype(np.uint64)
    for column in columns:
        value = _mix(value ^ column.astype(np.float32).view(np.uint32).astype(np.uint64))
    return value


def assign_folds(event_hash: Array, folds: int) -> Array:
    """Fold of each event: its hash modulo the number of folds, shape (n,), int64."""
    return np.asarray(event_hash % np.uint64(folds)).astype(np.int64)
