"""What is filled into histograms, and histograms before they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import hist

from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.events.corrections import EventCorrection
from taipan.events.variations import Variation
from taipan.labels import NOMINAL


@dataclass(frozen=True)
class FillSettings:
    """What is filled.

    Attributes
    ----------
    samples, regions
        Definitions; for collision data `samples` is empty.
    features
        Inputs of the network, in order.
    observables, control
        Fitted and control quantities, filled for every variation; ``nn_score`` is the network's
        score.
    variations
        Variations with templates; filled in fitted regions and the sources of an estimate there.
    corrections
        Weight of the section ``weights`` → its evaluator.
    places
        Observable → the only regions in which it is filled; all for those not listed.
    """

    samples: Mapping[str, Sample]
    regions: Mapping[str, Region]
    features: Sequence[str]
    observables: Mapping[str, Observable]
    control: Mapping[str, Observable]
    variations: Sequence[Variation]
    corrections: Mapping[str, EventCorrection] = field(default_factory=dict)
    places: Mapping[str, Collection[str]] = field(default_factory=dict)


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


def empty_histograms(
    processes: Sequence[str], settings: FillSettings, variations: Sequence[str]
) -> tuple[dict[str, hist.Hist], dict[str, hist.Hist]]:
    """Histograms of the observables, and those of the control plots."""
    regions, labels = list(settings.regions), [NOMINAL, *variations]
    observables, control = (
        {
            name: empty_histogram(name, item, processes, regions, labels)
            for name, item in defined.items()
        }
        for defined in (settings.observables, settings.control)
    )
    return observables, control
