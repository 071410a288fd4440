"""What systematics that are made of histograms do to the yields of the fit's bins.

An envelope, a Hessian, replicas or a control residual are made of histograms: no event has a weight
at +1σ. So their true values act on the yields of each sample, by the combined templates: straight
lines from 0 to +1σ and to -1σ, and beyond, but never below zero. For a pair of members (one scale,
a shower) that is the same as to weigh the events with the straight line of their weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.model import Config
from taipan.estimates.registry import filled_places
from taipan.events.variations import with_sources
from taipan.labels import NOMINAL
from taipan.likelihood.merge import merge_values
from taipan.likelihood.table import Table

Array = NDArray[Any]


@dataclass(frozen=True)
class YieldFactors:
    """Relative changes of yields at ±1σ of the systematics that are made of histograms.

    Attributes
    ----------
    changes
        (sample, fitted region, place) → systematic → changes at +1σ and at -1σ, shape (bins,)
        each. The place is the region itself or a source of an estimate in it.
    """

    changes: Mapping[tuple[str, str, str], Mapping[str, tuple[Array, Array]]] = field(
        default_factory=dict
    )

    def vary(self, yields: Array, cell: tuple[str, str, str], pulls: Mapping[str, float]) -> Array:
        """Give yields at the true values of the systematics, as changes that add up.

        Parameters
        ----------
        yields
            Of the bins, shape (bins,).
        cell
            Sample, fitted region and place.
        pulls
            Systematic → true value in standard deviations.
        """
        factor = np.ones(len(yields))
        for name, (up, down) in self.changes.get(cell, {}).items():
            factor += abs(pulls[name]) * (up if pulls[name] > 0.0 else down)
        return yields * np.maximum(factor, 0.0)


def read_yield_factors(
    tables: Mapping[str, Table], starts: Mapping[str, Sequence[int]], config: Config
) -> YieldFactors:
    """Read the changes from the templates.

    Parameters
    ----------
    tables
        Fitted region → templates of its observable.
    starts
        Fitted region → first bin of each bin of the fit.
    config
        Sections `samples` and `systematics`.
    """
    sources = filled_places(config.samples)
    changes: dict[tuple[str, str, str], dict[str, tuple[Array, Array]]] = {}
    for name, declared in config.systematics.items():
        if not declared.acts_on_bins:
            continue
        item = with_sources(declared, sources)
        for region, table in tables.items():
            for place in dict.fromkeys((region, *sources.get(region, ()))):
                if item.regions is not None and place not in item.regions:
                    continue
                for sample in item.samples:
                    nominal, *varied = (
                        merge_values(table.counts(sample, place, label).values, starts[region])
                        for label in (NOMINAL, *(f"{name}_{way}" for way in item.varied))
                    )
                    up, *down = (_relative(values, nominal) for values in varied)
                    cell = changes.setdefault((sample, region, place), {})
                    cell[name] = (up, down[0] if down else -up)
    return YieldFactors(changes)


def _relative(varied: Array, nominal: Array) -> Array:
    change = varied - nominal
    found: Array = np.divide(change, nominal, out=np.zeros(len(nominal)), where=nominal != 0.0)
    return found
