"""Opening what the skim stage left: events, normalisation and vertex weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from taipan.analysis import Analysis
from taipan.atomic import read_json
from taipan.events.load import DatasetEvents, load_dataset
from taipan.events.weights import VertexWeights
from taipan.normalisation import from_dict


def open_datasets(
    events: Mapping[str, Sequence[Path | str]],
    normalisation: Path | str,
    pileup: Path | str,
    analysis: Analysis,
    folds: int,
) -> list[DatasetEvents]:
    """Load datasets, in the order given.

    Parameters
    ----------
    events
        Dataset → Parquet files.
    normalisation, pileup
        JSON files of the rules ``normalise`` and ``measure_pileup``.
    analysis
        Gives the columns.
    folds
        Number of folds.
    """
    norms = from_dict(read_json(normalisation))
    measured = read_json(pileup)
    vertices = VertexWeights(tuple(measured["ratio"])) if measured["enabled"] else None
    return [
        load_dataset(paths, analysis, norms[name], vertices, folds)
        for name, paths in events.items()
    ]
