"""Events of the control regions and of the simulated classes, with the scores of networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.load import DatasetEvents
from taipan.events.selection import early_regions, region_masks
from taipan.nn.collect import CollectSettings, weigh_samples
from taipan.nn.scores import Scorer, classes_of

Array = NDArray[Any]


@dataclass(frozen=True)
class EventSettings:
    """Which events are judged.

    Attributes
    ----------
    samples, regions, features
        Definitions.
    control
        Regions in which data are compared with simulation; no signal region is among them.
    training_region
        Region whose *simulated* events are the classes.
    variables
        Quantities kept of each event.
    """

    samples: Mapping[str, Sample]
    regions: Mapping[str, Region]
    features: Sequence[str]
    control: Sequence[str]
    training_region: str
    variables: Sequence[str]


@dataclass
class _Parts:
    """Arrays of several datasets, to be joined."""

    rows: dict[str, list[Array]] = field(default_factory=dict)

    def add(self, **arrays: Array) -> None:
        for name, values in arrays.items():
            self.rows.setdefault(name, []).append(values)

    def join(self, name: str) -> Array:
        return np.concatenate(self.rows[name])


@dataclass(frozen=True)
class JudgedEvents:
    """Events of one control region, or of one class.

    Attributes
    ----------
    scores
        Network → score of the signal, shape (n,).
    flags
        Shape (n,), bool: data (and what is subtracted from it), or signal.
    weights
        Shape (n,), signed.
    variables
        Quantity → values, shape (n,).
    observed
        Σw of data before the estimate is subtracted.
    """

    scores: Mapping[str, Array]
    flags: NDArray[np.bool_]
    weights: Array
    variables: Mapping[str, Array]
    observed: float


def collect_events(
    datasets: Iterable[DatasetEvents],
    analysis: Analysis,
    settings: EventSettings,
    estimate: MeasuredEstimate | None,
    networks: Mapping[str, Scorer],
) -> tuple[dict[str, JudgedEvents], JudgedEvents]:
    """Score the events of every control region, and the simulation of the training region.

    In a region with a source, what is estimated from data is subtracted from them: the source's
    data have the weight −factor, its simulation +factor · w. Data of the training region are not
    touched.

    Parameters
    ----------
    datasets
        Data and simulation.
    analysis
        Gives quantities.
    settings
        What is judged.
    estimate
        Estimate of a sample from data, None if all are simulated.
    networks
        Name → scorer.

    Returns
    -------
    control, classes
        Region → events (flags: data), and simulated events (flags: signal).
    """
    control = {name: _Parts() for name in settings.control}
    classes = _Parts()
    names = [*settings.control, settings.training_region]
    for events in datasets:
        quantities = analysis.compute(events.columns)
        masks = region_masks(quantities, early_regions(settings.regions, analysis.is_late))
        members = {
            name: list(_members(events, quantities, masks, name, settings, estimate))
            for name in names
        }
        chosen = [mask for found in members.values() for _, mask, _ in found]
        if not chosen:
            continue
        used = np.flatnonzero(np.logical_or.reduce(chosen))
        inputs = np.stack([quantities[name][used] for name in settings.features], axis=1)
        scores = {}
        for label, scorer in networks.items():
            scores[f"score.{label}"] = np.full(len(events.folds), np.nan, dtype=np.float32)
            found_scores = scorer(inputs.astype(np.float32), events.folds[used])
            scores[f"score.{label}"][used] = classes_of(scorer).signal_score(found_scores)
        kept = {**scores, **{f"value.{n}": quantities[n] for n in settings.variables}}
        for name, found in members.items():
            for kind, mask, weights in found:
                part = control.get(name, classes)
                size = int(mask.sum())
                part.add(
                    flags=np.full(size, kind in ("data", "estimate", "signal")),
                    observed=np.full(size, kind == "data"),
                    weights=weights[mask],
                    **{key: values[mask] for key, values in kept.items()},
                )
    return (
        {name: _joined(part, settings, networks) for name, part in control.items()},
        _joined(classes, settings, networks),
    )


def _members(
    events: DatasetEvents,
    quantities: Mapping[str, Array],
    masks: Mapping[str, Array],
    region: str,
    settings: EventSettings,
    estimate: MeasuredEstimate | None,
) -> Iterable[tuple[str, Array, Array]]:
    """Give kind, mask and weights of what a dataset adds to a control region or to the classes."""
    in_control = region != settings.training_region
    if in_control and events.weights is None:
        yield "data", masks[region], np.ones(len(masks[region]))
    collect = CollectSettings(region, settings.features, settings.samples, settings.regions)
    for sample, mask, weights in weigh_samples(
        events, quantities, masks, region, collect, estimate
    ):
        definition = settings.samples[sample]
        if not definition.is_simulated:
            if in_control:
                yield "estimate", mask, -weights
        elif in_control:
            yield "simulation", mask, weights
        else:
            yield definition.role, mask, weights


def _joined(part: _Parts, settings: EventSettings, networks: Mapping[str, Scorer]) -> JudgedEvents:
    if not part.rows:
        empty = np.zeros(0)
        return JudgedEvents(
            dict.fromkeys(networks, empty),
            empty.astype(bool),
            empty,
            dict.fromkeys(settings.variables, empty),
            0.0,
        )
    return JudgedEvents(
        {label: part.join(f"score.{label}") for label in networks},
        part.join("flags"),
        part.join("weights"),
        {name: part.join(f"value.{name}") for name in settings.variables},
        float(part.join("observed").sum()),
    )
