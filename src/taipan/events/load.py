"""Loading a dataset's skimmed events with their weights and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns
from taipan.columns.identity import assign_folds
from taipan.errors import TaipanError
from taipan.events.weights import EventWeights, VertexWeights, weigh_events
from taipan.normalisation import Normalisation
from taipan.skim.storage import read_events


@dataclass(frozen=True)
class DatasetEvents:
    """Events of one dataset.

    Attributes
    ----------
    name
        Dataset.
    is_data
        True for collision data (weight 1, sample ``data``, no variations).
    columns
        Skim columns.
    weights
        Weights of the simulated events; None for data.
    folds
        Fold of each event, shape (n,).
    estimate
        Weights of collision events where a sample is estimated from them, shape (n,); None: 1.
    weight_lists
        Branch → generator weights of each member, relative to the nominal one, each of shape (n,).
    quantities
        Quantities that were computed on the way; None if they were not, or are not kept.
    """

    name: str
    is_data: bool
    columns: Columns
    weights: EventWeights | None
    folds: NDArray[Any]
    estimate: NDArray[np.float64] | None = None
    weight_lists: Mapping[str, Sequence[NDArray[Any]]] = field(default_factory=dict)
    quantities: Columns | None = None

    def compute(self, analysis: Analysis) -> Columns:
        """Give the quantities of the events."""
        return analysis.compute(self.columns) if self.quantities is None else self.quantities


def load_dataset(
    paths: Sequence[Path | str],
    analysis: Analysis,
    normalisation: Normalisation,
    vertices: VertexWeights | None,
    folds: int,
) -> DatasetEvents:
    """Read a dataset's skimmed events.

    Parameters
    ----------
    paths
        Its Parquet files.
    analysis
        Gives the columns.
    normalisation
        Of this dataset.
    vertices
        Vertex weights of the simulation, or None.
    folds
        Number of folds.
    """
    columns = read_events(paths, analysis.columns)
    weights = (
        None
        if normalisation.is_data
        else weigh_events(columns, normalisation.scale, vertices, normalisation.dataset)
    )
    events = DatasetEvents(
        normalisation.dataset,
        normalisation.is_data,
        columns,
        weights,
        assign_folds(columns["event_hash"], folds),
    )
    corrected = correct_events(events, analysis)
    if corrected.weights is None:
        return corrected
    # of all datasets together, these would be too much to keep
    return replace(corrected, weights=replace(corrected.weights, factors={}), quantities=None)


def correct_events(events: DatasetEvents, analysis: Analysis) -> DatasetEvents:
    """Apply the corrections of an analysis to events as they were read, if it has any.

    The energies of objects come first: weights are looked up with corrected ones. The quantities
    that the factors were made of are kept.

    Raises
    ------
    TaipanError
        If a value is outside the bins of a correction and that is an error; names the dataset.
    """
    corrections = analysis.corrections
    if corrections is None:
        return events
    try:
        columns = corrections.correct_objects(events.columns, is_data=events.is_data)
        if events.weights is None:
            return replace(events, columns=columns)
        quantities = analysis.compute(columns)
        factors = corrections.weigh(events.name, columns, quantities)
    except TaipanError as error:
        raise TaipanError(f"{error} [dataset {events.name}]") from error
    weights = events.weights.correct(factors)
    return replace(events, columns=columns, weights=weights, quantities=quantities)


def select_fold(events: DatasetEvents, fold: int, *, inside: bool) -> DatasetEvents:
    """Keep the events of one fold, or all others, at the same expected yield.

    Parameters
    ----------
    events
        A dataset; data keep their weight of 1.
    fold
        Number of the fold.
    inside
        True for the events of this fold, False for all others.

    Raises
    ------
    TaipanError
        If the events left have no positive Σw, before corrections.
    """
    kept = (events.folds == fold) == inside
    columns = {name: values[kept] for name, values in events.columns.items()}
    weights = events.weights
    if weights is not None:
        left = weights.plain[kept].sum()
        if not len(weights.nominal):
            left = 1.0  # without events there is nothing to scale
        elif not left > 0:
            raise TaipanError(
                f"{events.name}: Σw = {left} of the events in the chosen folds "
                "(set templates.binning.fold to another one, or use more events)"
            )
        scale = weights.plain.sum() / left
        uncorrected = weights.uncorrected
        weights = EventWeights(
            weights.nominal[kept] * scale,
            {name: values[kept] * scale for name, values in weights.alternatives.items()},
            None if uncorrected is None else scale * uncorrected[kept],
            {name: factors[kept] for name, factors in weights.factors.items()},
        )
    return DatasetEvents(events.name, events.is_data, columns, weights, events.folds[kept])


def divide_estimate(events: DatasetEvents, fold: int, *, inside: bool) -> DatasetEvents:
    """Let the collision events of one fold, or all others, make the estimates from data.

    What is observed in fitted regions stays as it is: all events are kept.

    Parameters
    ----------
    events
        A dataset of collision events.
    fold
        Number of the fold.
    inside
        True for the events of this fold, False for all others.

    Raises
    ------
    TaipanError
        If there is no event in the chosen folds, but in the others.
    """
    used = (events.folds == fold) == inside
    if len(used) and not used.any():
        raise TaipanError(f"{events.name}: no event in the chosen folds")
    scale = len(used) / max(int(used.sum()), 1)
    return replace(events, estimate=np.where(used, scale, 0.0))
