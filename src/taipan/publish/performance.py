"""What the networks do to each process: shapes of the score, and efficiencies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.export.tables import TableRows
from taipan.templates.flat import WEIGHT

Array = NDArray[Any]
TARGETS = (0.9, 0.8, 0.7, 0.5, 0.3)
"""Efficiencies of the signal at the working points."""
_STEPS = 1000  # a threshold is a multiple of 0.001
_BINS = 20


class Performance:
    """Adds up signed weights of the scores of simulated events.

    Parameters
    ----------
    scores
        Columns with scores.
    signals
        Processes that are signal.
    regions
        Regions in which the working points are defined, those of the signal.
    """

    def __init__(
        self, scores: Sequence[str], signals: Collection[str], regions: Collection[str]
    ) -> None:
        self._scores, self._signals, self._regions = scores, signals, regions
        self._sums: dict[tuple[str, str, str], Array] = {}

    def add(self, rows: Mapping[str, Array]) -> None:
        """Add rows of simulated events."""
        cells = np.char.add(np.char.add(rows["region"].astype(str), "\n"), _text(rows["process"]))
        weights = rows[WEIGHT]
        for cell in np.unique(cells):
            chosen = cells == cell
            region, process = str(cell).split("\n")
            for score in self._scores:
                place = np.clip(np.floor(rows[score][chosen] * _STEPS), 0, _STEPS - 1).astype(int)
                sums = np.stack(
                    [
                        np.bincount(place, weights=values, minlength=_STEPS)
                        for values in (
                            weights[chosen],
                            weights[chosen] ** 2,
                            np.ones(int(chosen.sum())),
                        )
                    ]
                )
                key = (score, region, process)
                self._sums[key] = self._sums.get(key, 0.0) + sums

    def working_points(self) -> dict[str, list[dict[str, Any]]]:
        """Give the working points of each score, with the efficiency of each process.

        Returns
        -------
        dict
            Score → list of ``signal_efficiency`` (wanted), ``threshold`` (an event passes if its
            score is not below) and ``efficiency``: region → process → ``value``, ``sigma``.
        """
        return {score: self._points(score) for score in self._scores}

    def _points(self, score: str) -> list[dict[str, Any]]:
        signal = [
            sums[0]
            for (of, region, process), sums in sorted(self._sums.items())
            if of == score and region in self._regions and process in self._signals
        ]
        total = float(np.sum(signal))
        if not signal or total <= 0.0:
            return []
        above = np.cumsum(np.sum(signal, axis=0)[::-1])[::-1] / total
        return [
            {
                "signal_efficiency": target,
                "threshold": int(cut) / _STEPS,
                "efficiency": self._efficiencies(score, int(cut)),
            }
            for target in TARGETS
            for cut in [np.flatnonzero(above >= target).max(initial=0)]
        ]

    def _efficiencies(self, score: str, cut: int) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for (of, region, process), (sumw, sumw2, _) in sorted(self._sums.items()):
            total = float(sumw.sum())
            if of == score and total > 0.0:
                value = float(sumw[cut:].sum()) / total
                spread = (1.0 - value) ** 2 * sumw2[cut:].sum() + value**2 * sumw2[:cut].sum()
                number = {"value": value, "sigma": float(np.sqrt(spread)) / total}
                found.setdefault(region, {})[process] = number
        return found

    def shapes(self) -> TableRows:
        """Give the shapes as rows: expected events in bins of the score, with their √Σw²."""
        rows = [["score", "region", "process", "low", "high", "sumw", "sigma", "events"]]
        for key, sums in sorted(self._sums.items()):
            bins = sums.reshape(3, _BINS, -1).sum(axis=2)
            for i, (sumw, sumw2, events) in enumerate(bins.T):
                numbers = (i / _BINS, (i + 1) / _BINS, sumw, np.sqrt(sumw2), events)
                rows.append([*key, *(f"{number:.7g}" for number in numbers)])
        return rows


def _text(values: Array) -> Array:
    return values.astype(str)
