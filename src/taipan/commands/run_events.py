"""The events of a finished run, scored as the run scored them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.analysis_choice import read_trusted
from taipan.atomic import read_json
from taipan.config.load import load_catalogue
from taipan.config.model import Config
from taipan.config.networks import list_scores
from taipan.config.slices import hash_config
from taipan.datasets import Catalogue, count_generated, nominal_datasets, plan_chunks
from taipan.errors import TaipanError
from taipan.events.blinding import overlapping_signal
from taipan.events.opening import open_analysis
from taipan.events.stream import stream_dataset
from taipan.finished_runs import find_in_run
from taipan.nn.scorer import FoldScorer
from taipan.templates.build import plan_filling
from taipan.templates.flat import FlatEvents


@dataclass(frozen=True)
class RunEvents:
    """The events of a run, ready to be read.

    Attributes
    ----------
    config, catalogue, results
        Configuration, dataset catalogue and folder of the run.
    analysis
        Gives the quantities.
    flat
        Makes rows of events.
    scorers
        Observable that is a network's score → its networks.
    folds
        Number of folds.
    """

    config: Config
    catalogue: Catalogue
    results: Path
    analysis: Analysis
    flat: FlatEvents
    scorers: Mapping[str, FoldScorer]
    folds: int

    @property
    def nominal(self) -> list[str]:
        """Datasets that are neither alternatives of systematics nor left out."""
        return nominal_datasets(self.config, self.catalogue)

    def rows(self, dataset: str) -> Iterator[dict[str, NDArray[Any]]]:
        """Read a dataset in blocks of rows, as :meth:`FlatEvents.rows` gives them.

        Raises
        ------
        TaipanError
            If the run is not finished.
        """
        events = [str(path) for path in self._files(dataset)]
        blocks = stream_dataset(
            dataset,
            events,
            find_in_run(self.results, "normalisation.json"),
            self.results / "corrections/pileup.json",
            self.analysis,
            self.folds,
        )
        for block in blocks:
            rows = self.flat.rows(block)
            if rows:
                yield rows

    def _files(self, dataset: str) -> list[Path]:
        """Files of the events of a dataset that count, as the workflow takes them."""
        found = [self.results / f"events_once/{dataset}.parquet"]
        skim = self.config.skim
        if skim.duplicates != "first":
            generated = count_generated(self.config, self.catalogue, dataset)
            chunks = plan_chunks(self.catalogue.dataset(dataset), generated, skim.chunk_events)
            found = [self.results / f"events/{dataset}/{i}.parquet" for i in range(len(chunks))]
        for path in found:
            if not path.exists():
                raise TaipanError(f"{path}: no events; the run is not finished")
        return found


def read_run(
    overlays: Sequence[str], root: Path, analysis: str | None, results: Path | None
) -> tuple[Config, Catalogue, Path]:
    """Read the configuration and the catalogue of a finished run; give its folder, too.

    Parameters
    ----------
    overlays, root, analysis
        As of :func:`~taipan.analysis_choice.read_trusted`.
    results
        Folder of the run; None: as the configuration says.

    Raises
    ------
    TaipanError
        If the run is not finished, has eras or was made with another configuration.
    """
    config, folder = read_trusted(overlays, root, analysis)
    if config.eras:
        raise TaipanError("the configuration has eras; export one of them with its own overlay")
    place = results or root / config.results / config.analysis
    find_in_run(place, "normalisation.json")
    _refuse_another(config, place)  # before it has another folder, which files are named from
    config = config.model_copy(update={"folder": str(folder)})
    return config, load_catalogue(config), place


def open_events(
    config: Config,
    catalogue: Catalogue,
    results: Path,
    *,
    nominal_only: bool = False,
    identified: bool = False,
) -> RunEvents:
    """Open the events and the networks of a run.

    Parameters
    ----------
    config, catalogue, results
        Of :func:`read_run`.
    nominal_only, identified
        As of :class:`~taipan.templates.flat.FlatEvents`.

    Raises
    ------
    TaipanError
        If a network is missing.
    """
    analysis = open_analysis(config, config.systematics)
    shapes = results / "corrections/shapes.json"
    settings = plan_filling(config, analysis, shapes, config.observables)
    settings = replace(settings, regions=config.regions)  # not the parts of estimates
    scorers = {
        score: FoldScorer(list_models(results, name), config.features)
        for name, score in list_scores(config).items()
    }
    folds = max([1, *(item.folds for item in scorers.values())])
    hidden = [] if config.fit.unblind else overlapping_signal(config.regions)
    flat = FlatEvents(
        analysis,
        settings,
        config.systematics,
        scorers,
        hidden=hidden,
        nominal_only=nominal_only,
        identified=identified,
    )
    return RunEvents(config, catalogue, results, analysis, flat, scorers, folds)


def list_models(results: Path, network: str) -> list[Path]:
    """List the ONNX files of a network, one for each fold.

    Raises
    ------
    TaipanError
        If there is none.
    """
    folder = results / "models" / network
    found = sorted(folder.glob("fold*.onnx"))
    if not found:
        raise TaipanError(f"{folder}: no networks (fold0.onnx); the run is not finished")
    return found


def _refuse_another(config: Config, results: Path) -> None:
    """Refuse a configuration that is not the one of the results."""
    summary = find_in_run(results, "summary.json")
    made, given = read_json(summary)["provenance"]["config"], hash_config(config)
    if made != given:
        raise TaipanError(
            f"{summary}: made with the configuration {made}, this one is {given}; give the "
            "--configfile of the run, or run again"
        )
