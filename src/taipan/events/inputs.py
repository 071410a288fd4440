"""Opening what the skim stage left: events, normalisation and vertex weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taipan.analysis import Analysis
from taipan.atomic import read_json
from taipan.events.load import DatasetEvents, load_dataset
from taipan.events.weights import read_vertex_weights
from taipan.normalisation import from_dict


@dataclass(frozen=True)
class SkimmedEvents:
    """Files with the events of datasets, and what was measured for all of them.

    Attributes
    ----------
    events
        Dataset → Parquet files of the skim.
    normalisation, pileup
        JSON files of the rules ``normalise`` and ``measure_pileup``.
    """

    events: Mapping[str, Sequence[str]]
    normalisation: str
    pileup: str

    def open(self, analysis: Analysis, folds: int) -> list[DatasetEvents]:
        """Load the datasets, in the order given.

        Parameters
        ----------
        analysis
            Gives the columns.
        folds
            Number of folds.

        Raises
        ------
        TaipanError
            If a file cannot be read.
        """
        norms = from_dict(read_json(self.normalisation))
        measured = read_json(self.pileup)
        vertices = read_vertex_weights(measured)
        return [
            load_dataset(paths, analysis, norms[name], vertices, folds)
            for name, paths in self.events.items()
        ]
