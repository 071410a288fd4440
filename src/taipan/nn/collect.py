"""Training events: every sample's events in the training region, with signed weights."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.load import DatasetEvents
from taipan.events.selection import belongs_to, region_masks, sample_masks
from taipan.nn.classes import Classes
from taipan.nn.data import TrainingSet

logger = logging.getLogger(__name__)

Array = NDArray[Any]


@dataclass(frozen=True)
class CollectSettings:
    """Which events are trained on.

    Attributes
    ----------
    region
        Region of the training.
    features
        Quantities that are its inputs.
    samples, regions
        Definitions; of the regions those known before a network is asked.
    classes
        Class → samples; events of other samples are not trained on. Empty: signal and background.
    """

    region: str
    features: Sequence[str]
    samples: Mapping[str, Sample]
    regions: Mapping[str, Region]
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)


def collect_training_set(
    datasets: Iterable[DatasetEvents],
    analysis: Analysis,
    settings: CollectSettings,
    estimate: MeasuredEstimate | None,
) -> TrainingSet:
    """Collect the events of every sample in the training region.

    A sample estimated from data consists of the data (weight +factor) and the simulation
    (−factor × w) of the region's source.

    Parameters
    ----------
    datasets
        Events of all datasets, data among them, in parts of any size.
    analysis
        Gives the quantities.
    settings
        Region, features and samples.
    estimate
        Estimate of a sample from data, None if all are simulated.

    Returns
    -------
    TrainingSet
        Signed physical weights (expected events at the analysed luminosity).

    Raises
    ------
    TaipanError
        If no event of a simulated sample is selected; names the region.
    """
    classes = Classes.of(settings.classes, settings.samples)
    parts: list[tuple[str, Array, Array, Array, Array]] = []
    left_out: dict[str, int] = {}
    for events in datasets:
        quantities = analysis.compute(events.columns)
        features = np.stack([quantities[name] for name in settings.features], axis=1)
        features = features.astype(np.float32)
        identity = events.columns["event_hash"]
        masks = region_masks(quantities, settings.regions)
        for sample, mask, weights in weigh_samples(
            events, quantities, masks, settings.region, settings, estimate
        ):
            if classes.label_of(sample) is None:
                left_out[sample] = left_out.get(sample, 0) + int(mask.sum())
                continue
            parts.append(
                (sample, features[mask], weights[mask], events.folds[mask], identity[mask])
            )
    for sample, count in left_out.items():
        logger.info("sample %s is of no class: %d events are not trained on", sample, count)
    labels = [np.full(len(w), classes.label_of(name)) for name, _, w, _, _ in parts]
    names = [np.full(len(w), name) for name, _, w, _, _ in parts]
    simulated = {name for name, item in settings.samples.items() if item.is_simulated}
    if not sum(len(w) for name, _, w, _, _ in parts if name in simulated):
        raise TaipanError(
            f"regions.{settings.region}.cut: '{settings.regions[settings.region].cut}': no event "
            "of a simulated sample passes it; the networks are trained there (training.region)"
        )
    return TrainingSet(
        features=np.concatenate([part[1] for part in parts]),
        names=tuple(settings.features),
        labels=np.concatenate(labels),
        weights=np.concatenate([part[2] for part in parts]).astype(np.float64),
        folds=np.concatenate([part[3] for part in parts]),
        samples=np.concatenate(names),
        identifiers=np.concatenate([part[4] for part in parts]),
        classes=classes,
    )


def collect_weights(
    datasets: Iterable[DatasetEvents],
    analysis: Analysis,
    settings: CollectSettings,
    estimate: MeasuredEstimate | None,
) -> dict[str, dict[str, Array]]:
    """Collect the signed weights of every sample in every region.

    Parameters
    ----------
    datasets, analysis, settings, estimate
        As for :func:`collect_training_set`; the region of the settings does not matter.

    Returns
    -------
    dict
        Region → sample → weights, shape (n,). A sample estimated from data is left out of a region
        without source.
    """
    found: dict[str, dict[str, list[Array]]] = {name: {} for name in settings.regions}
    for events in datasets:
        quantities = analysis.compute(events.columns)
        masks = region_masks(quantities, settings.regions)
        for region, samples in found.items():
            for sample, mask, weights in weigh_samples(
                events, quantities, masks, region, settings, estimate
            ):
                samples.setdefault(sample, []).append(weights[mask])
    return {
        region: {
            sample: np.concatenate(samples[sample])
            for sample in settings.samples
            if sample in samples
        }
        for region, samples in found.items()
    }


def weigh_samples(
    events: DatasetEvents,
    quantities: Mapping[str, Array],
    masks: Mapping[str, Array],
    region: str,
    settings: CollectSettings,
    estimate: MeasuredEstimate | None,
) -> Iterator[tuple[str, Array, Array]]:
    """Give each sample that a dataset's events in a region belong to, their mask and weights.

    Parameters
    ----------
    events
        A dataset.
    quantities, masks
        Quantity → array and region → mask of its events, shape (n,).
    region
        Name of the region.
    settings
        Samples and regions.
    estimate
        Estimate of a sample from data, None if all are simulated.

    Yields
    ------
    sample, mask, weights
        Mask and signed weights of shape (n,). Data belong to the estimated sample alone.
    """
    source = None if estimate is None else estimate.source(region)
    if events.weights is None:
        if estimate is not None and source is not None:
            yield estimate.sample, masks[source], estimate.weigh(region, quantities)
        return
    for sample, chosen in sample_masks(quantities, settings.samples, events.name).items():
        if belongs_to(settings.samples[sample], region, settings.regions):
            yield sample, chosen & masks[region], events.weights.nominal
        if estimate is not None and source is not None:
            factors = estimate.weigh(region, quantities)
            yield estimate.sample, chosen & masks[source], -factors * events.weights.nominal
