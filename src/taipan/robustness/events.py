"""Simulated events of a region, with what is needed to move their objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns
from taipan.columns.expressions import parse_expression
from taipan.config.model import Config
from taipan.events.load import DatasetEvents
from taipan.events.selection import belongs_to, early_regions, region_masks, sample_masks
from taipan.robustness.sources import Sources
from taipan.systematics.base import Systematic

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AttackedSample:
    """Events of one simulated sample.

    Attributes
    ----------
    name, is_signal
        Sample, and whether it is signal.
    columns
        Stored columns of n events.
    weights
        Shape ``(n,)``, signed; their sum is that of all events of the sample in the region.
    folds
        Fold of each event, shape ``(n,)``.
    sources
        What moves them.
    """

    name: str
    is_signal: bool
    columns: Columns
    weights: Array
    folds: NDArray[Any]
    sources: Sources


def collect_samples(
    datasets: Iterable[DatasetEvents],
    analysis: Analysis,
    config: Config,
    region: str,
    rng: np.random.Generator,
) -> list[AttackedSample]:
    """Collect up to `robustness.events` events of each simulated sample in a region.

    Parameters
    ----------
    datasets
        Data and simulation; data and what is estimated from them are left out.
    analysis
        Gives quantities and shifts.
    config
        Sections `samples`, `regions`, `features`, `systematics` and `robustness`.
    region
        Its name.
    rng
        Chooses the events.
    """
    parts: dict[str, list[tuple[Columns, Array, NDArray[Any]]]] = {}
    regions = early_regions(config.regions, analysis.is_late)
    for events in datasets:
        if events.weights is None:
            continue
        quantities = events.compute(analysis)
        mask = region_masks(quantities, {region: regions[region]})[region]
        for sample, chosen in sample_masks(quantities, config.samples, events.name).items():
            if belongs_to(config.samples[sample], region, config.regions):
                rows = np.flatnonzero(chosen & mask)
                columns = {name: values[rows] for name, values in events.columns.items()}
                weights = np.asarray(events.weights.nominal[rows], np.float64)
                parts.setdefault(sample, []).append((columns, weights, events.folds[rows]))
    found = []
    for sample in config.samples:
        if sample in parts:
            stored, weights, folds = _join(parts[sample])
            rows = np.sort(rng.permutation(len(weights))[: config.robustness.events])
            total, left = weights.sum(), weights[rows].sum()
            found.append(
                AttackedSample(
                    sample,
                    config.samples[sample].role == "signal",
                    {name: values[rows] for name, values in stored.items()},
                    weights[rows] * (total / left if left > 0 else 1.0),
                    folds[rows],
                    choose_sources(config, analysis, sample, region),
                )
            )
    return found


def choose_sources(config: Config, analysis: Analysis, sample: str, region: str) -> Sources:
    """Choose the systematics that shift objects of a sample in a region."""
    chosen: dict[str, Systematic] = {
        name: item
        for name, item in config.systematics.items()
        if item.moves_events
        and not item.alternatives
        and sample in item.samples
        and (item.regions is None or region in item.regions)
    }
    return Sources(chosen, analysis, tuple(config.features))


def is_inside(quantities: Mapping[str, NDArray[Any]], cut: str) -> NDArray[np.bool_]:
    """Whether events are in a region, which moved ones may leave."""
    inside = parse_expression(cut).evaluate(quantities).astype(bool)
    return np.asarray(inside & quantities["passes"].astype(bool))


def _join(
    parts: Sequence[tuple[Columns, Array, NDArray[Any]]],
) -> tuple[Columns, Array, NDArray[Any]]:
    first = parts[0][0]
    columns = {name: _stack([part[0][name] for part in parts]) for name in first}
    weights = np.concatenate([part[1] for part in parts])
    return columns, weights, np.concatenate([part[2] for part in parts])


def _stack(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Put blocks below each other; a narrower one gets more places without an object."""
    if arrays[0].ndim == 1:
        return np.concatenate(arrays)
    width = max(array.shape[1] for array in arrays)
    empty = np.nan if arrays[0].dtype.kind == "f" else 0
    return np.concatenate(
        [
            np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=empty)
            for array in arrays
        ]
    )
