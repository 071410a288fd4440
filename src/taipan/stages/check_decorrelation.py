"""Judge how the score of networks differs between data and simulation in control regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.analysis import load_analysis
from taipan.atomic import read_json, write_json
from taipan.config.slices import restore_slice
from taipan.decorrelation import CheckSettings, check_networks
from taipan.events.inputs import open_datasets
from taipan.nn.scorer import FoldScorer
from taipan.plotting.decorrelation import decorrelation_numbers, score_figure, tail_figure
from taipan.plotting.style import save_figure


def check_decorrelation(
    events: Mapping[str, Sequence[str]],
    normalisation: str,
    pileup: str,
    transfer_factor: str,
    networks: Mapping[str, Sequence[str]],
    config: Mapping[str, Any],
    seed: int,
    threads: int,
    header: dict[str, Any],
    record: str,
    figures: Mapping[str, Mapping[str, str]],
) -> None:
    """Write the record and its figures.

    Parameters
    ----------
    events
        Dataset → Parquet files of the skim.
    normalisation, pileup, transfer_factor
        JSON files of the rules of those names.
    networks
        Name → ONNX file of each fold.
    config
        Sections `module`, `samples`, `regions`, `features`, `observables`, `training` (its
        region) and `decorrelation`.
    seed
        Seed of folds and permutations.
    threads
        Threads of a network.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    record
        JSON file to write (``docs/outputs.md``).
    figures
        Figure → path of each of ``pdf``, ``png`` and ``json``.
    """
    settings = restore_slice(config)
    analysis = load_analysis(settings.module)
    scorers = {
        name: FoldScorer(paths, settings.features, threads) for name, paths in networks.items()
    }
    folds = len(next(iter(networks.values())))
    transfer = read_json(transfer_factor)
    result = check_networks(
        open_datasets(events, normalisation, pileup, analysis, folds),
        analysis,
        CheckSettings.of(settings, seed),
        None if transfer is None else float(transfer["value"]),
        {name: scorer.score for name, scorer in scorers.items()},
    )
    write_json(record, result)
    numbers = decorrelation_numbers(result, settings.regions, header)
    save_figure(score_figure(numbers), figures["decorrelation_scores"], numbers["scores"])
    save_figure(tail_figure(numbers), figures["decorrelation_tails"], numbers["tails"])
