"""Opening what the skim stage left: events, normalisation and vertex weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from taipan.analysis import Analysis
from taipan.atomic import read_json
from taipan.events.load import DatasetEvents, load_dataset
from taipan.events.stream import stream_dataset
from taipan.events.weights import read_vertex_weights
from taipan.normalisation import Normalisation, from_dict


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

    @property
    def paths(self) -> list[str]:
        """All files."""
        events = [path for paths in self.events.values() for path in paths]
        return [*events, self.normalisation, self.pileup]

    def stream(self, analysis: Analysis, folds: int) -> EventBlocks:
        """Read the datasets in blocks, as often as is asked; parameters as of :meth:`open`."""
        return EventBlocks(self, analysis, folds)

    def open(self, analysis: Analysis, folds: int) -> list[DatasetEvents]:
        """Load all events of the datasets, in the order given.

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
        norms = self.normalisations()
        measured = read_json(self.pileup)
        vertices = read_vertex_weights(measured)
        return [
            load_dataset(paths, analysis, norms[name], vertices, folds)
            for name, paths in self.events.items()
        ]

    def normalisations(self) -> dict[str, Normalisation]:
        """Read the normalisation of every dataset."""
        return from_dict(read_json(self.normalisation))

    def stream_lists(
        self,
        dataset: str,
        analysis: Analysis,
        folds: int,
        weight_lists: Sequence[str],
        keep_fold: int | None = None,
    ) -> Iterator[DatasetEvents]:
        """Read a dataset in blocks with its generator weights, of which memory holds a block.

        Parameters
        ----------
        dataset
            Its name.
        analysis, folds
            As of :meth:`open`.
        weight_lists, keep_fold
            As of :func:`~taipan.events.stream.stream_dataset`.
        """
        return stream_dataset(
            *(dataset, self.events[dataset], self.normalisation, self.pileup, analysis, folds),
            keep_fold=keep_fold,
            weight_lists=weight_lists,
        )


@dataclass(frozen=True)
class EventBlocks:
    """The events of datasets, a block in memory at a time; each iteration reads the files.

    Attributes
    ----------
    skimmed
        The files.
    analysis
        Gives the columns.
    folds
        Number of folds.
    """

    skimmed: SkimmedEvents
    analysis: Analysis
    folds: int

    def __iter__(self) -> Iterator[DatasetEvents]:
        """Give the blocks of one dataset after the other, in the order of the files."""
        files = self.skimmed
        for name, paths in files.events.items():
            yield from stream_dataset(
                name, paths, files.normalisation, files.pileup, self.analysis, self.folds
            )
