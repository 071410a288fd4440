"""The events by which a consumer checks himself: simulated, and scored by networks new to them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.columns.identity import finalise
from taipan.templates.flat import HASH, WEIGHT

Array = NDArray[Any]
MOST_EVENTS = 1000
"""Most reference events."""


class ReferenceEvents:
    """Chooses events by a hash, the same number for each process where there are enough.

    Parameters
    ----------
    inputs, scores
        Columns with the inputs of the networks, in order, and with their scores.
    """

    def __init__(self, inputs: Sequence[str], scores: Sequence[str]) -> None:
        self._inputs, self._scores = list(inputs), list(scores)
        self._columns = ["dataset", "process", HASH, "fold", *inputs, *scores, WEIGHT]
        self._kept: dict[str, dict[str, Array]] = {}

    def add(self, rows: Mapping[str, Array]) -> None:
        """Look at rows of simulated events."""
        for process in np.unique(rows["process"].astype(str)):
            chosen = rows["process"] == process
            new = {name: rows[name][chosen] for name in self._columns}
            old = self._kept.get(process)
            both = new if old is None else {n: np.concatenate([old[n], new[n]]) for n in new}
            # an event that is in two regions has two rows
            _, first = np.unique(both[HASH], return_index=True)
            order = np.argsort(finalise(both[HASH][first]), kind="stable")[:MOST_EVENTS]
            self._kept[process] = {name: both[name][first[order]] for name in both}

    def table(self) -> dict[str, Array]:
        """Give the chosen events: at most `MOST_EVENTS`, each once."""
        tables = [self._kept[process] for process in sorted(self._kept)]
        ranks = np.concatenate([np.arange(len(table[HASH])) for table in tables])
        found = {name: np.concatenate([table[name] for table in tables]) for name in self._columns}
        order = np.argsort(ranks, kind="stable")
        _, first = np.unique(found[HASH][order], return_index=True)
        order = order[np.sort(first)][:MOST_EVENTS]
        return {name: values[order] for name, values in found.items()}

    def to_csv(self) -> str:
        """Write the chosen events as CSV; inputs and scores are float32, written exactly."""
        table = self.table()
        texts = {name: [str(value) for value in values] for name, values in table.items()}
        for name in (*self._inputs, *self._scores):
            values = table[name].astype(np.float32)
            texts[name] = ["" if np.isnan(value) else str(value) for value in values]
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerow(texts)
        writer.writerows(zip(*texts.values(), strict=True))
        return written.getvalue()


class InputRanges:
    """Smallest and largest value of each input among simulated events, as float32."""

    def __init__(self, inputs: Sequence[str]) -> None:
        self._found = dict.fromkeys(inputs, (np.inf, -np.inf))

    def add(self, rows: Mapping[str, Array]) -> None:
        """Look at rows of simulated events."""
        for name, (low, high) in self._found.items():
            values = rows[name].astype(np.float32)
            known = values[~np.isnan(values)]
            if len(known):
                self._found[name] = (min(low, float(known.min())), max(high, float(known.max())))

    def of(self, name: str) -> tuple[float, float]:
        """Give the range of an input; 0 to 0 if no event has it."""
        low, high = self._found[name]
        return (low, high) if low <= high else (0.0, 0.0)
