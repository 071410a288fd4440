"""What the command ``taipan export events`` does."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from taipan.analysis_choice import read_trusted
from taipan.atomic import read_json, replacing, write_text
from taipan.commands.flat_files import TableFile, file_format
from taipan.config.load import load_catalogue
from taipan.config.model import Config
from taipan.config.networks import list_scores
from taipan.config.slices import hash_config
from taipan.datasets import Catalogue, count_generated, nominal_datasets, plan_chunks
from taipan.errors import TaipanError
from taipan.events.blinding import overlapping_signal
from taipan.events.opening import open_analysis
from taipan.events.stream import stream_dataset
from taipan.export.tables import to_csv
from taipan.finished_runs import find_in_run
from taipan.labels import DATA
from taipan.nn.scorer import FoldScorer
from taipan.templates.build import plan_filling
from taipan.templates.flat import FlatEvents

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EventsOptions:
    """What ``taipan export events`` is asked for; its ``--help`` says what each option means."""

    out: Path
    configfile: Sequence[str] = ()
    analysis: str | None = None
    results: Path | None = None
    nominal: bool = False
    root: Path = Path()


def run_export_events(options: EventsOptions) -> None:
    """Run ``taipan export events``.

    Raises
    ------
    TaipanError
        If the run is not finished, or the ending of the file is no format.
    """
    kind = file_format(options.out)
    config, folder = read_trusted(options.configfile, options.root, options.analysis)
    if config.eras:
        raise TaipanError("the configuration has eras; export one of them with its own overlay")
    config = config.model_copy(update={"folder": str(folder)})
    results = options.results or options.root / config.results / config.analysis
    normalisation = find_in_run(results, "normalisation.json")
    catalogue = load_catalogue(config)
    _refuse_another(config, results)
    datasets = nominal_datasets(config, catalogue)
    flat, folds = _open(config, results, nominal_only=options.nominal)
    names = {
        "dataset": datasets,
        "process": [*config.samples, DATA],
        "region": list(config.regions),
    }
    analysis = open_analysis(config, config.systematics)
    columns: list[str] = []
    with replacing(options.out) as temporary, TableFile(temporary, kind, names) as file:
        for dataset in datasets:
            events = [str(path) for path in _events_of(config, catalogue, results, dataset)]
            pileup = results / "corrections/pileup.json"
            for block in stream_dataset(dataset, events, normalisation, pileup, analysis, folds):
                rows = flat.rows(block)
                if rows:
                    columns = list(rows)
                    file.add(rows)
        if not file.rows:
            raise TaipanError(f"{results}: no event is in any region")
    described = options.out.with_name(f"{options.out.stem}_columns.csv")
    lines = [["column", "unit", "meaning"]]
    lines += [[item.name, item.unit, item.meaning] for item in flat.describe(columns)]
    write_text(described, to_csv(lines))
    print(f"wrote {options.out}: {file.rows} rows, {len(columns)} columns")
    print(f"wrote {described}: what each column is")
    missing = flat.left_out()
    if missing and not options.nominal:
        print(f"without a weight, because they move events or use others: {', '.join(missing)}")


def _open(config: Config, results: Path, *, nominal_only: bool) -> tuple[FlatEvents, int]:
    """Open the networks of a run; give what makes rows, and the number of folds."""
    analysis = open_analysis(config, config.systematics)
    shapes = results / "corrections/shapes.json"
    settings = plan_filling(config, analysis, shapes, config.observables)
    settings = replace(settings, regions=config.regions)  # not the parts of estimates
    scorers = {
        score: FoldScorer(list(_models_of(config, results, name)), config.features)
        for name, score in list_scores(config).items()
    }
    folds = max([1, *(item.folds for item in scorers.values())])
    hidden = [] if config.fit.unblind else overlapping_signal(config.regions)
    flat = FlatEvents(
        analysis, settings, config.systematics, scorers, hidden=hidden, nominal_only=nominal_only
    )
    return flat, folds


def _models_of(config: Config, results: Path, network: str) -> Iterator[Path]:
    folder = results / "models" / network
    found = sorted(folder.glob("fold*.onnx"))
    if not found:
        raise TaipanError(f"{folder}: no networks (fold0.onnx); the run is not finished")
    yield from found


def _refuse_another(config: Config, results: Path) -> None:
    """Refuse a configuration that is not the one of the results."""
    summary = find_in_run(results, "summary.json")
    made, given = read_json(summary)["provenance"]["config"], hash_config(config)
    if made != given:
        raise TaipanError(
            f"{summary}: made with the configuration {made}, this one is {given}; give the "
            "--configfile of the run, or run again"
        )


def _events_of(config: Config, catalogue: Catalogue, results: Path, dataset: str) -> list[Path]:
    """Files of the events of a dataset that count, as the workflow takes them."""
    found = [results / f"events_once/{dataset}.parquet"]
    if config.skim.duplicates != "first":
        generated = count_generated(config, catalogue, dataset)
        chunks = plan_chunks(catalogue.dataset(dataset), generated, config.skim.chunk_events)
        found = [results / f"events/{dataset}/{i}.parquet" for i in range(len(chunks))]
    for path in found:
        if not path.exists():
            raise TaipanError(f"{path}: no events; the run is not finished")
    return found
