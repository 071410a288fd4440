"""Opening the events of a training: what the rules that train or check a training share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.atomic import read_json
from taipan.config.model import Config
from taipan.estimates.registry import MeasuredEstimate, read_estimate
from taipan.events.inputs import SkimmedEvents
from taipan.events.load import DatasetEvents
from taipan.events.opening import open_analysis
from taipan.events.selection import early_regions
from taipan.nn.adversary.collect import collect_opponents
from taipan.nn.adversary.events import Opponent
from taipan.nn.collect import CollectSettings, collect_training_set, collect_weights
from taipan.nn.data import TrainingSet
from taipan.nn.sensitivity.collect import collect_linear_events
from taipan.nn.sensitivity.linear import LinearEvents

logger = logging.getLogger(__name__)

Collected = TypeVar("Collected")


@dataclass(frozen=True)
class TrainingInputs:
    """Files that a training is made of, or the check of one.

    Attributes
    ----------
    skimmed
        Events of all nominal datasets.
    transfer_factor
        JSON file of the rule ``measure_transfer_factor``.
    """

    skimmed: SkimmedEvents
    transfer_factor: str


def open_training_set(
    inputs: TrainingInputs,
    settings: Config,
) -> TrainingSet:
    """Load the events of the training region.

    Parameters
    ----------
    inputs
        Files of the events, and of what was measured for them.
    settings
        Sections `folder`, `samples`, `regions`, `features`, `categorical` and `training`.

    Returns
    -------
    TrainingSet
        Events with signed physical weights.

    Raises
    ------
    TaipanError
        If a file cannot be read or no event is selected.
    """

    def collect(
        datasets: Iterable[DatasetEvents],
        analysis: Analysis,
        chosen: CollectSettings,
        estimate: MeasuredEstimate | None,
    ) -> TrainingSet:
        return _collect_events(datasets, analysis, settings, chosen, estimate)

    return _collect(collect, inputs, settings)[0]


def open_training_events(
    inputs: TrainingInputs,
    settings: Config,
) -> tuple[TrainingSet, list[Opponent]]:
    """Load also what the networks are trained against; parameters as of :func:`open_training_set`.

    Returns
    -------
    training_set, opponents
        No opponents for a plain training.

    Raises
    ------
    TaipanError
        If a file cannot be read, no event is selected, or one of the control sample is trained on.
    """

    def collect(
        datasets: Iterable[DatasetEvents],
        analysis: Analysis,
        _: CollectSettings,
        estimate: MeasuredEstimate | None,
    ) -> tuple[TrainingSet, list[Opponent]]:
        return collect_training_events(datasets, analysis, settings, estimate)

    return _collect(collect, inputs, settings)[0]


def collect_training_events(
    datasets: Iterable[DatasetEvents],
    analysis: Analysis,
    settings: Config,
    estimate: MeasuredEstimate | None,
) -> tuple[TrainingSet, list[Opponent]]:
    """Do the same with given events, read once or twice, and the estimate of a sample from data."""
    chosen = _choose(settings, analysis)
    training_set = _collect_events(datasets, analysis, settings, chosen, estimate)
    opponents = collect_opponents(datasets, analysis, chosen, estimate, settings.training)
    for item in opponents:
        logger.info("opponent %s: %d events, λ = %g", item.name, len(item.events), item.strength)
    return training_set, opponents


def _collect_events(
    datasets: Iterable[DatasetEvents],
    analysis: Analysis,
    settings: Config,
    chosen: CollectSettings,
    estimate: MeasuredEstimate | None,
) -> TrainingSet:
    collected = collect_training_set(datasets, analysis, chosen, estimate)
    flags = tuple(analysis.quantities[name].may_be_missing for name in settings.features)
    logger.info("training events: %d in region %s", len(collected), settings.training.region)
    return replace(collected, may_be_missing=flags, categorical=settings.categorical)


def open_linear_events(inputs: TrainingInputs, settings: Config, shapes: str) -> LinearEvents:
    """Load the events as the fit sees them, with all variations.

    Parameters
    ----------
    inputs
        Files of the events, and of what was measured for them.
    settings
        As of :func:`open_training_set`, and sections `systematics`, `weights` and `fit`.
    shapes
        JSON file of the rule ``measure_shapes``.

    Raises
    ------
    TaipanError
        If a file cannot be read or no event is selected.
    """
    analysis = open_analysis(settings, settings.systematics)
    datasets = inputs.skimmed.stream(analysis, settings.training.folds)
    estimate = read_estimate(settings.samples, read_json(inputs.transfer_factor))
    return collect_linear_events(datasets, analysis, settings, estimate, shapes)


def open_region_weights(
    inputs: TrainingInputs,
    settings: Config,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Load the signed weights of every region; parameters as of :func:`open_training_set`.

    Returns
    -------
    dict
        Region → sample → weights, shape (n,).
    """
    return _collect(collect_weights, inputs, settings)[0]


def _collect(
    collect: Callable[
        [Iterable[DatasetEvents], Analysis, CollectSettings, MeasuredEstimate | None], Collected
    ],
    inputs: TrainingInputs,
    settings: Config,
) -> tuple[Collected, Analysis]:
    analysis = open_analysis(settings)
    datasets = inputs.skimmed.stream(analysis, settings.training.folds)
    estimate = read_estimate(settings.samples, read_json(inputs.transfer_factor))
    return collect(datasets, analysis, _choose(settings, analysis), estimate), analysis


def _choose(settings: Config, analysis: Analysis) -> CollectSettings:
    return CollectSettings(
        region=settings.training.region,
        features=settings.features,
        samples=settings.samples,
        regions=early_regions(settings.regions, analysis.is_late),
        classes=settings.classes,
    )
