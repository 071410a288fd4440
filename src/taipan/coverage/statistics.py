"""What the limited number of simulated events does to the templates.

Other events of the same kind would have made other templates. Each event is taken a Poisson(1)
number of times, and so are the data that an estimate is made of; nothing is shifted. What comes out
is what an auxiliary measurement of the content of each bin would have found, and its error. The fit
of a pseudo-experiment takes both in place of those of the templates.

The truth stays as it is. To scatter the truth around the templates instead is the same only where
templates have many events: the relative error of a bin belongs to the content that was simulated,
not to the true one (numbers in ``docs/inference.md``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.coverage.bins import SourceData
from taipan.coverage.draw import Universe
from taipan.coverage.sample_events import SampleEvents
from taipan.coverage.truth import draw_factors
from taipan.likelihood.statistics import name_statistics

Array = NDArray[Any]

LEAST_CONTENT = 0.01
"""Content of a bin, in units of that of the templates, that no experiment goes below."""


@dataclass(frozen=True)
class Content:
    """What auxiliary measurements of the content of the bins would have found.

    Attributes
    ----------
    ratio
        Content over that of the templates, shape ``(bins,)``.
    error
        Its error over that of the templates.
    """

    ratio: Array
    error: Array


class SimulationStatistics:
    """Templates as other simulated events would have made them.

    Parameters
    ----------
    universe
        Finds the bins of events.
    events
        Those that the templates were made of.
    source_data
        Data that a sample is estimated from.
    """

    def __init__(
        self, universe: Universe, events: Iterable[SampleEvents], source_data: SourceData
    ) -> None:
        truth = universe.nominal_truth
        self._sizes: dict[str, int] = {}
        self._data: list[tuple[str, Array, float]] = []
        self._entries: list[tuple[str, Array, Array, Array]] = []
        self._number = 0
        subtracted: dict[tuple[str, str], float] = {}
        estimate = None if source_data.fixed else source_data.estimate
        if estimate is not None:
            for region, counts in source_data.data.items():
                factors = draw_factors(estimate, region, truth)
                places = estimate.filled_in(region)
                name = name_statistics(region, is_signal=False)
                for place, row, (of_data, of_simulated) in zip(
                    places, counts, factors, strict=True
                ):
                    self._data.append((name, np.maximum(row, 0.0), of_data))
                    subtracted[region, place] = of_simulated
        for part in events:
            is_signal = universe.config.samples[part.sample].role == "signal"
            for region, place, bins, weights, rows in universe.list_entries(part, truth):
                own = place == region
                name = name_statistics(region, is_signal=is_signal and own)
                self._sizes[name] = universe.binning.size(region)
                belongs = universe.belongs(part.sample, region)
                factor = float(belongs) if own else -subtracted.get((region, place), 0.0)
                if factor and len(rows):
                    self._entries.append((name, self._number + rows, bins, factor * weights))
            self._number += len(part.weights)
        self._nominal = self._sum(np.ones(self._number), [row for _, row, _ in self._data])

    def draw(self, rng: np.random.Generator) -> dict[str, Content]:
        """Draw the content of the bins.

        Returns
        -------
        dict
            Name of the statistical parameters of a region → content; 1 where the templates have
            none.
        """
        data = [rng.poisson(row).astype(np.float64) for _, row, _ in self._data]
        drawn = self._sum(rng.poisson(1.0, self._number).astype(np.float64), data)
        found = {}
        for name, (values, variances) in drawn.items():
            nominal, nominal_variances = self._nominal[name]
            ratio, square = np.ones(len(values)), np.ones(len(values))
            np.divide(values, nominal, out=ratio, where=nominal > 0.0)
            np.divide(variances, nominal_variances, out=square, where=nominal_variances > 0.0)
            least = LEAST_CONTENT
            found[name] = Content(np.maximum(ratio, least), np.sqrt(np.maximum(square, least)))
        return found

    def _sum(self, taken: Array, data: Sequence[Array]) -> dict[str, tuple[Array, Array]]:
        """Sum weights and their squares, each event taken `taken` times, and the given data."""
        found = {name: (np.zeros(size), np.zeros(size)) for name, size in self._sizes.items()}
        for name, rows, bins, weights in self._entries:
            values, variances = found[name]
            values += np.bincount(bins, weights * taken[rows], minlength=len(values))
            variances += np.bincount(bins, weights**2 * taken[rows], minlength=len(values))
        for (name, _, factor), row in zip(self._data, data, strict=True):
            values, variances = found[name]
            values += factor * row
            variances += factor**2 * row
        return found
