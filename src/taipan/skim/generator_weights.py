"""Generator weights that cannot be right: all zero, or one far above the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError

LARGEST_RATIO = 1e6
"""Largest |weight| over the median: samples with wide weights reach 10³ to 10⁴."""
_RUN = 1_000_000  # weights of which a median is taken at a time


@dataclass(frozen=True)
class WeightSpread:
    """How the generator weights of some events spread.

    Attributes
    ----------
    events
        Number of events whose weight is not zero.
    median
        Median of their |genWeight|, 0 if there is none.
    largest
        Largest |genWeight|, with its sign.
    entry
        Entry of the file that has it, -1 if there is none.
    """

    events: int = 0
    median: float = 0.0
    largest: float = 0.0
    entry: int = -1


class SpreadMeter:
    """Measures the spread of weights that come a step at a time, in bounded memory."""

    def __init__(self, run_events: int = _RUN) -> None:
        self._run_events = run_events
        self._waiting: list[NDArray[Any]] = []
        self._held = 0
        self._spreads: list[WeightSpread] = []
        self._largest, self._entry = 0.0, -1

    def add(self, weights: NDArray[Any], first: int) -> None:
        """Add the weights of entry `first` and those after it, shape (n,)."""
        sizes = np.abs(weights)
        if len(sizes) and sizes.max() > abs(self._largest):
            place = int(np.argmax(sizes))
            self._largest, self._entry = float(weights[place]), first + place
        self._waiting.append(sizes[sizes > 0])
        self._held += len(self._waiting[-1])
        if self._held >= self._run_events:
            self._settle()

    def _settle(self) -> None:
        if self._held:
            median = float(np.median(np.concatenate(self._waiting)))
            self._spreads.append(WeightSpread(self._held, median))
        self._waiting, self._held = [], 0

    def result(self) -> WeightSpread:
        """Return the spread of all weights added; beyond a run the median is that of medians."""
        self._settle()
        events = sum(item.events for item in self._spreads)
        return WeightSpread(events, typical_weight(self._spreads), self._largest, self._entry)


def typical_weight(spreads: Iterable[WeightSpread]) -> float:
    """Median |genWeight| of several parts: the median of theirs, each counted by its events."""
    ordered = sorted(spreads, key=lambda item: item.median)
    ordered = [item for item in ordered if item.events]
    half = sum(item.events for item in ordered) / 2
    for item in ordered:
        half -= item.events
        if half <= 0:
            return item.median
    return 0.0


def refuse_absurd(where: object, spread: WeightSpread, median: float) -> None:
    """Refuse a weight far above the median.

    Parameters
    ----------
    where
        File, for the message.
    spread
        Of the weights of a part of it.
    median
        Median |genWeight| of the file or the dataset.

    Raises
    ------
    TaipanError
        Naming the weight and its entry.
    """
    if median > 0 and abs(spread.largest) > LARGEST_RATIO * median:
        raise TaipanError(
            f"{where}: genWeight of entry {spread.entry} is {spread.largest:.6g}, but the median "
            f"of |genWeight| is {median:.6g} (at most 10⁶ times as much is taken for a weight; "
            "mend the file, or take it out of the list)"
        )
