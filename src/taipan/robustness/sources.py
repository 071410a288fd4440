"""Events moved by the sources of the systematics: every derived feature is computed anew.

An event gets a pull for each source, such as an energy scale. Its objects are shifted, one source
after the other, and its features computed from them, so that no relation between features breaks.
Pulls lie on a grid: then each shift runs once for each value of the grid, not once for each event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns
from taipan.systematics.base import Systematic

Array = NDArray[np.float64]

GRID = (-1.0, -0.5, 0.5, 1.0)
"""Pulls that are tried, in units of the size of the attack."""


@dataclass(frozen=True)
class Sources:
    """The sources that move the events of one sample.

    Attributes
    ----------
    systematics
        Name → systematic that shifts objects.
    analysis
        Gives shifts and quantities.
    features
        Names of the features.
    """

    systematics: Mapping[str, Systematic]
    analysis: Analysis
    features: Sequence[str]

    @property
    def names(self) -> list[str]:
        """Names of the sources, in the order of the pulls."""
        return list(self.systematics)

    def quantities(self, columns: Columns, pulls: Array) -> dict[str, NDArray[Any]]:
        """Compute the quantities of events with pulls.

        Parameters
        ----------
        columns
            Stored columns of n events.
        pulls
            Shape ``(n, sources)``.
        """
        moved = dict(columns)
        for position, systematic in enumerate(self.systematics.values()):
            for pull in np.unique(pulls[:, position]):
                if pull == 0.0:
                    continue
                rows = pulls[:, position] == pull
                shifted = systematic.shift_columns(moved, self.analysis, float(pull))
                if shifted is not None:
                    moved = _replace_rows(moved, shifted, rows)
        return self.analysis.compute(moved)

    def stack(self, quantities: Mapping[str, NDArray[Any]]) -> Array:
        """Put the features of events side by side, shape ``(n, f)``."""
        columns = [np.asarray(quantities[name], np.float64) for name in self.features]
        return np.stack(columns, axis=1)

    def measure_sigma(self, columns: Columns) -> Array:
        """Measure what ±1σ of all sources, in quadrature, does to the features of each event.

        Returns
        -------
        ndarray
            Shape ``(n, f)``; 0 where a feature is missing or nothing moves it.
        """
        n = len(next(iter(columns.values())))
        total = np.zeros((n, len(self.features)))
        for position in range(len(self.systematics)):
            pulls = np.zeros((n, len(self.systematics)))
            pulls[:, position] = 1.0
            up = self.stack(self.quantities(columns, pulls))
            down = self.stack(self.quantities(columns, -pulls))
            half = 0.5 * (up - down)
            total += np.where(np.isfinite(half), half, 0.0) ** 2
        return np.sqrt(total)


def _replace_rows(before: Columns, after: Columns, rows: NDArray[np.bool_]) -> dict[str, Any]:
    found = dict(before)
    for name, values in after.items():
        if values is not before.get(name):
            chosen = rows.reshape(-1, *(1,) * (values.ndim - 1))
            found[name] = np.where(chosen, values, before[name])
    return found


@dataclass(frozen=True)
class SourceAttack:
    """Events pulled to the other side by the sources alone.

    Attributes
    ----------
    pulls
        Pull of each source, shape ``(n, sources)``.
    quantities
        Quantities of the moved events.
    events
        Their features, shape ``(n, f)``.
    scores
        Their scores, shape ``(n,)``.
    """

    pulls: Array
    quantities: Mapping[str, NDArray[Any]]
    events: Array
    scores: Array


def attack_by_sources(
    sources: Sources,
    columns: Columns,
    score: Callable[[Array], Array],
    way: float,
    size: float,
    start: SourceAttack | None = None,
) -> SourceAttack:
    """Pull each event along the score, source by source, each within ±`size` σ.

    It needs no gradient, so trees can be attacked as well. The mean of the squared pulls of an
    event is `size`² at most, as in the attacks on features.

    Parameters
    ----------
    sources
        The sources.
    columns
        Stored columns of n events.
    score
        Features (n, f) → scores (n,).
    way
        +1 to raise the score, −1 to lower it.
    size
        Largest pull of a source, in σ.
    start
        Attack of a smaller size, which this one improves.
    """
    n, number = len(next(iter(columns.values()))), len(sources.names)
    if start is None:
        pulls = np.zeros((n, number))
        quantities: Mapping[str, NDArray[Any]] = sources.quantities(columns, pulls)
        events = sources.stack(quantities)
        best = np.asarray(score(events), np.float64)
    else:
        pulls, quantities, events = start.pulls, start.quantities, start.events
        best = start.scores
    # all steps together: an event more costs little, a call much
    tiled = {name: np.concatenate([values] * len(GRID)) for name, values in columns.items()}
    for position in range(number if size > 0.0 else 0):
        together = np.concatenate([pulls] * len(GRID))
        together[:, position] = np.repeat(GRID, n) * size
        computed = sources.quantities(tiled, together)
        for i in range(len(GRID)):
            tried = together[i * n : (i + 1) * n]
            found = {name: values[i * n : (i + 1) * n] for name, values in computed.items()}
            moved = sources.stack(found)
            scores = np.asarray(score(moved), np.float64)
            better = way * scores > way * best
            best = np.where(better, scores, best)
            pulls = np.where(better[:, None], tried, pulls)
            events = np.where(better[:, None], moved, events)
            quantities = {
                name: np.where(better, found[name], values) for name, values in quantities.items()
            }
    return SourceAttack(pulls, quantities, events, best)


def draw_source_noise(pulls: Array, size: float, rng: np.random.Generator, steps: int = 4) -> Array:
    """Draw pulls with the χ² of given ones, event by event, on a grid of `steps` a σ."""
    noise = rng.normal(size=pulls.shape)
    length = np.linalg.norm(noise, axis=1, keepdims=True)
    wanted = np.linalg.norm(pulls, axis=1, keepdims=True)
    scaled = noise * wanted / np.where(length > 0, length, 1.0)
    grid = max(size, 1e-12) / steps
    return np.asarray(np.round(scaled / grid) * grid, np.float64)
