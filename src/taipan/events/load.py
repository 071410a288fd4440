"""Loading a dataset's skimmed events with their weights and folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns
from taipan.event_identity import assign_folds
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
    """

    name: str
    is_data: bool
    columns: Columns
    weights: EventWeights | None
    folds: NDArray[Any]


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
        None if normalisation.is_data else weigh_events(columns, normalisation.scale, vertices)
    )
    return DatasetEvents(
        normalisation.dataset,
        normalisation.is_data,
        columns,
        weights,
        assign_folds(columns["event_hash"], folds),
    )
