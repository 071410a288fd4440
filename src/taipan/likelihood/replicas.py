"""Templates as another simulation and other data of the same size would have made them.

The fluctuations are those of Σw² of the nominal templates, and of the covariances of the shifts
(:mod:`taipan.templates.shifts`). Both are taken as independent: few events move.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import hist
import numpy as np
import numpy.typing as npt

from taipan.config.model import Config
from taipan.estimates.registry import MeasuredEstimate
from taipan.labels import DATA, NOMINAL

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fluctuations:
    """What of the templates of an observable may fluctuate.

    Attributes
    ----------
    templates
        Axes process, region, variation and the observable, Weight storage.
    roots
        (process, region, variation) → root of the covariance of its shift, shape
        ``(n_bins, n_bins)`` with flow bins.
    config, estimate
        Samples, and how one of them is estimated from data.
    """

    templates: hist.Hist
    roots: Mapping[tuple[int, int, int], Array]
    config: Config
    estimate: MeasuredEstimate | None

    @classmethod
    def of(
        cls,
        templates: hist.Hist,
        shifts: hist.Hist | None,
        config: Config,
        estimate: MeasuredEstimate | None,
    ) -> Fluctuations:
        """Take the roots of the covariances that were filled."""
        roots = {}
        if shifts is not None:
            labels, view = list(templates.axes[2]), shifts.view(flow=True)
            positions = [labels.index(name) for name in shifts.axes[2]]
            for i, j, k in np.argwhere(np.any(view, axis=(-1, -2))):
                if k < len(positions):
                    sizes, axes = np.linalg.eigh(view[i, j, k])
                    root = axes * np.sqrt(np.maximum(sizes, 0.0))
                    roots[int(i), int(j), positions[k]] = root
        return cls(templates, roots, config, estimate)

    def draw(self, rng: np.random.Generator) -> hist.Hist:
        """Draw the templates of another sample of events."""
        out = self.templates.copy(deep=True)
        view = out.view(flow=True)
        processes, places, labels = (list(axis) for axis in out.axes[:3])
        nominal = labels.index(NOMINAL)
        made = [name for name, item in self.config.samples.items() if not item.is_simulated]
        rows = [i for i, name in enumerate(processes) if name not in made]
        noise = rng.normal(size=view["variance"][:, :, nominal].shape)
        noise *= np.sqrt(view["variance"][:, :, nominal])
        change = np.zeros(view["value"].shape)
        change[rows] = noise[rows][:, :, None]
        for cell, root in self.roots.items():
            if cell[0] in rows:
                change[cell] += root @ rng.normal(size=len(root))
        change[~np.any(view["variance"] > 0, axis=-1)] = 0.0
        for row, column, parts in self._estimated(processes, places):
            for factor, place in parts:
                for label in range(len(labels)):
                    change[row, column, label] += factor * self._source(
                        change[:, place], view["variance"][:, place], processes, (label, nominal)
                    )
        view["value"] += change
        return out

    def _estimated(
        self, processes: list[str], places: list[str]
    ) -> Iterator[tuple[int, int, list[tuple[float, int]]]]:
        """List row, column and parts (factor, column of the source) of what is estimated."""
        if self.estimate is None:
            return
        for column, region in enumerate(places):
            parts = [(p.factor, places.index(p.place)) for p in self.estimate.parts(region)]
            if parts:
                yield processes.index(self.estimate.sample), column, parts

    def _source(
        self, change: Array, variance: Array, processes: list[str], labels: tuple[int, int]
    ) -> Array:
        """Change of data less simulation in a source; nominal where a variation does not act."""
        total = np.zeros(change.shape[-1])
        simulated = [name for name, item in self.config.samples.items() if item.is_simulated]
        for name in (DATA, *simulated):
            row = processes.index(name)
            label = labels[0] if np.any(variance[row, labels[0]] > 0) else labels[1]
            total += (1.0 if name == DATA else -1.0) * change[row, label]
        return total
