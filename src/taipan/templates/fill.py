"""Histograms of one dataset: every sample, region and variation in one pass over the events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns
from taipan.config.model import Observable, Region, Sample
from taipan.errors import TaipanError
from taipan.events.load import DatasetEvents
from taipan.events.selection import region_masks, sample_masks
from taipan.events.variations import NOMINAL, Variation

logger = logging.getLogger(__name__)
Array = NDArray[Any]
DATA = "data"
SCORE = "nn_score"

Scorer = Callable[[Array, Array], Array]
"""(features (n, f) float32, folds (n,)) → score (n,)."""


@dataclass(frozen=True)
class FillSettings:
    """What is filled.

    Attributes
    ----------
    samples, regions
        Definitions; for collision data `samples` is empty.
    features
        Inputs of the network, in order.
    observables
        Filled for every variation; ``nn_score`` is the network's score.
    control
        Filled for the nominal alone.
    variations
        Variations with templates.
    """

    samples: Mapping[str, Sample]
    regions: Mapping[str, Region]
    features: Sequence[str]
    observables: Mapping[str, Observable]
    control: Mapping[str, Observable]
    variations: Sequence[Variation]


def empty_histogram(
    name: str,
    observable: Observable,
    processes: Sequence[str],
    regions: Sequence[str],
    variations: Sequence[str],
) -> hist.Hist:
    """Histogram with axes process, region, variation and the observable, Weight storage."""
    return hist.Hist(
        hist.axis.StrCategory(list(processes), name="process"),
        hist.axis.StrCategory(list(regions), name="region"),
        hist.axis.StrCategory(list(variations), name="variation"),
        hist.axis.Variable(observable.binning, name=name, label=observable.label),
        storage=hist.storage.Weight(),
    )


def fill_dataset(
    events: DatasetEvents, analysis: Analysis, settings: FillSettings, scorer: Scorer | None
) -> tuple[dict[str, hist.Hist], dict[str, hist.Hist]]:
    """Fill the histograms of one dataset.

    Parameters
    ----------
    events
        Events and their weights.
    analysis
        Gives quantities and shifts.
    settings
        What to fill.
    scorer
        The networks; needed if ``nn_score`` is filled.

    Returns
    -------
    observables, control
        Name → histogram with axes (process, region, variation, observable).

    Raises
    ------
    TaipanError
        If the sum of weights filled differs from that of the events selected.
    """
    processes = [DATA] if events.is_data else _processes(events.name, settings)
    relevant = [
        variation
        for variation in settings.variations
        if not events.is_data and _concerns(variation, events.name, settings)
    ]
    labels = [NOMINAL, *(variation.name for variation in relevant)]
    observables = {
        name: empty_histogram(name, item, processes, list(settings.regions), labels)
        for name, item in settings.observables.items()
    }
    control = {
        name: empty_histogram(name, item, processes, list(settings.regions), [NOMINAL])
        for name, item in settings.control.items()
    }
    nominal = _View(events, events.columns, analysis, settings, scorer)
    weights = np.ones(nominal.size) if events.weights is None else events.weights.nominal
    nominal.fill(observables, None, weights)
    nominal.fill(control, None, weights)
    for variation in relevant:
        kind = variation.systematic.kind
        if kind == "kinematic":
            shift = analysis.shifts[variation.systematic.shift or ""]
            size = variation.sign * (variation.systematic.size or 0.0)
            shifted = shift.function(events.columns, size)
            view = _View(events, shifted, analysis, settings, scorer)
            view.fill(observables, variation, weights)
        elif kind == "weight":
            nominal.fill(observables, variation, _alternative(events, variation))
        else:
            nominal.fill(observables, variation, weights)
    return observables, control


def _alternative(events: DatasetEvents, variation: Variation) -> Array:
    """Weights under a weight variation."""
    name = variation.systematic.weight or ""
    if events.weights is None or name not in events.weights.alternatives:
        raise TaipanError(f"{variation.name}: weight '{name}' is not applied to '{events.name}'")
    return events.weights.alternatives[name]


def _processes(dataset: str, settings: FillSettings) -> list[str]:
    own = [name for name, sample in settings.samples.items() if dataset in sample.datasets]
    for variation in settings.variations:
        if dataset in (variation.systematic.datasets or ()):
            own += [name for name in variation.systematic.samples if name not in own]
    if not own:
        raise TaipanError(f"dataset '{dataset}' belongs to no sample and no systematic")
    return own


def _concerns(variation: Variation, dataset: str, settings: FillSettings) -> bool:
    systematic = variation.systematic
    if systematic.kind == "sample":
        return dataset in (systematic.datasets or ())
    return any(dataset in settings.samples[name].datasets for name in systematic.samples)


class _View:
    """The events as one variation sees them."""

    def __init__(
        self,
        events: DatasetEvents,
        columns: Columns,
        analysis: Analysis,
        settings: FillSettings,
        scorer: Scorer | None,
    ) -> None:
        self._events = events
        self._settings = settings
        self._quantities = analysis.compute(columns)
        self.size = len(self._quantities["passes"])
        self._regions = region_masks(self._quantities, settings.regions)
        if SCORE in settings.observables:
            if scorer is None:
                raise TaipanError("the score is an observable, but no network was given")
            used = np.logical_or.reduce(list(self._regions.values()))
            inputs = [self._quantities[name][used] for name in settings.features]
            score = np.full(self.size, np.nan, dtype=np.float32)
            score[used] = scorer(np.stack(inputs, axis=1).astype(np.float32), events.folds[used])
            self._quantities[SCORE] = score

    def _samples(self, variation: Variation | None) -> dict[str, Array]:
        if self._events.is_data:
            return {DATA: np.ones(self.size, dtype=bool)}
        samples = self._settings.samples
        if variation is not None and variation.systematic.kind == "sample":
            samples = {
                name: samples[name].model_copy(update={"datasets": [self._events.name]})
                for name in variation.systematic.samples
            }
        return sample_masks(self._quantities, samples, self._events.name)

    def fill(
        self, histograms: Mapping[str, hist.Hist], variation: Variation | None, weights: Array
    ) -> None:
        """Fill every sample and region to which the variation (None: nominal) applies."""
        label = NOMINAL if variation is None else variation.name
        for sample, of_sample in self._samples(variation).items():
            for region, in_region in self._regions.items():
                if variation is not None and not variation.applies(sample, region):
                    continue
                mask = of_sample & in_region
                chosen = weights[mask]
                for name, histogram in histograms.items():
                    # A missing value (NaN) lands in the overflow bin.
                    histogram.fill(
                        sample, region, label, self._quantities[name][mask], weight=chosen
                    )
                    filled = histogram[hist.loc(sample), hist.loc(region), hist.loc(label), :]
                    missed = float(filled.values(flow=True).sum() - chosen.sum())
                    if not abs(missed) <= 1e-6 * max(1.0, float(np.abs(chosen).sum())):
                        raise TaipanError(
                            f"{self._events.name}, {sample}, {region}, {label}, {name}: Σw of "
                            f"histogram and events differ by {missed}"
                        )
