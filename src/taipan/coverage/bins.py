"""The bins of the fit, and the data that an estimate in them is made of."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.estimates.registry import MeasuredEstimate

Array = NDArray[Any]


@dataclass(frozen=True)
class FitBins:
    """Bins of the fit.

    Attributes
    ----------
    observable
        Quantity of the fit.
    edges
        Fitted region → bin edges; two edges for a single bin.
    single
        Fitted regions of a single bin, whatever the observable.
    own
        Fitted region → quantity, where it is another than that of the fit.
    """

    observable: str
    edges: Mapping[str, Array]
    single: frozenset[str]
    own: Mapping[str, str] = field(default_factory=dict)

    def observables(self) -> list[str]:
        """List the observables of all regions that have more than one bin."""
        names = [self.own.get(name, self.observable) for name in self.edges]
        binned = [name not in self.single for name in self.edges]
        return list(dict.fromkeys(itertools.compress(names, binned)))

    def size(self, region: str) -> int:
        """Give the number of bins of a region."""
        return 1 if region in self.single else len(self.edges[region]) - 1

    def find(self, region: str, quantity: Array) -> Array:
        """Find the bin of each value; those outside belong to the edge bins, NaN to the last."""
        if region in self.single:
            return np.zeros(len(quantity), dtype=np.intp)
        edges = self.edges[region]
        bins = np.searchsorted(edges, quantity, side="right") - 1
        return np.asarray(np.clip(bins, 0, len(edges) - 2))

    def fill(self, region: str, quantity: Array, weights: Array) -> Array:
        """Sum the weights of the values in each bin (:meth:`find`)."""
        return np.bincount(self.find(region, quantity), weights, minlength=self.size(region))


@dataclass(frozen=True)
class SourceData:
    """Data that a sample is estimated from.

    Attributes
    ----------
    data
        Fitted region → data of the parts of its source per bin, shape ``(parts, bins)``; empty if
        all samples are simulated.
    varied
        Systematic that acts on them → fitted region → the same under it.
    estimate
        How, and the factor of each region.
    fixed
        Region → true yields of the sample, where the fit counts it in further regions.
    """

    data: Mapping[str, Array]
    varied: Mapping[str, Mapping[str, Array]]
    estimate: MeasuredEstimate | None
    fixed: Mapping[str, Array] = field(default_factory=dict)

    def vary(self, region: str, pulls: Mapping[str, float]) -> Array:
        """Give the data of one pseudo-experiment."""
        nominal = self.data[region]
        factor = np.ones(nominal.shape)
        for name, varied in self.varied.items():
            change = varied[region] - nominal
            factor += pulls[name] * np.divide(
                change, nominal, out=np.zeros(nominal.shape), where=nominal > 0.0
            )
        return np.asarray(nominal * factor)
