"""Simulated events of a sample, of which pseudo-data are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def join_samples(parts: Sequence[SampleEvents]) -> SampleEvents:
    """Put parts of one sample and dataset together, in this order; at least one.

    The objects of an event, a row each, are padded with NaN up to the largest number of all parts.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    uncorrected = [part.uncorrected for part in parts if part.uncorrected is not None]
    return SampleEvents(
        first.sample,
        {name: _join([part.columns[name] for part in parts]) for name in first.columns},
        np.concatenate([part.weights for part in parts]),
        {
            name: np.concatenate([part.alternatives[name] for part in parts])
            for name in first.alternatives
        },
        np.concatenate([part.folds for part in parts]),
        first.dataset,
        np.concatenate(uncorrected) if uncorrected else None,
    )


def _join(columns: Sequence[Array]) -> Array:
    if columns[0].ndim == 1:
        return np.concatenate(columns)
    width = max(column.shape[1] for column in columns)
    padded = [
        np.pad(column, ((0, 0), (0, width - column.shape[1])), constant_values=np.nan)
        for column in columns
    ]
    return np.concatenate(padded)
