"""Simulated events of a sample, of which pseudo-data are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns

Array = NDArray[Any]


@dataclass(frozen=True)
class SampleEvents:
    """Events of one sample in one dataset.

    Attributes
    ----------
    sample
        Name of the sample.
    columns
        Skim columns.
    weights
        Nominal weights, shape ``(n,)``.
    alternatives
        Name of a weight → varied weights, shape ``(n,)``, those of the section `weights` included.
    folds
        Fold of each event.
    dataset
        Dataset that they are of.
    uncorrected
        Weights without corrections, shape ``(n,)``; None if nothing is corrected.
    """

    sample: str
    columns: Columns
    weights: Array
    alternatives: Mapping[str, Array]
    folds: Array
    dataset: str = ""
    uncorrected: Array | None = None

    def take(self, rows: Array) -> SampleEvents:
        """Give some of the events."""
        return SampleEvents(
            self.sample,
            {name: column[rows] for name, column in self.columns.items()},
            self.weights[rows],
            {name: weights[rows] for name, weights in self.alternatives.items()},
            self.folds[rows],
            self.dataset,
            None if self.uncorrected is None else self.uncorrected[rows],
        )

    def correct(
        self,
        analysis: Analysis,
        columns: Columns,
        quantities: Columns,
        pulls: Mapping[str, float],
    ) -> SampleEvents:
        """Look the corrections up again, of shifted columns and with their true values.

        Parameters
        ----------
        analysis
            With the corrections.
        columns, quantities
            Of the events as they are shifted.
        pulls
            Systematic → true value; a correction that has no systematic is at its nominal value.
        """
        weights = self.uncorrected
        if weights is None or (corrections := analysis.corrections) is None:
            return self
        for name in corrections.weighted:
            pull = pulls.get(name, 0.0)
            weights = weights * corrections.vary(name, self.dataset, columns, quantities, pull)
        ratio = np.divide(
            weights, self.weights, out=np.ones(len(weights)), where=self.weights != 0.0
        )
        varied = {name: values * ratio for name, values in self.alternatives.items()}
        return replace(self, weights=weights, alternatives=varied)
