"""Judge how the score of networks differs between data and simulation in control regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.decorrelation import CheckSettings, judge_decorrelation
from taipan.estimates.registry import read_estimate
from taipan.events.opening import open_analysis
from taipan.jobs.figures import Figure, FigureFiles
from taipan.nn.inputs import TrainingInputs
from taipan.nn.scorer import FoldScorer
from taipan.plotting.decorrelation import decorrelation_numbers, region_scores_figure, tail_figure
from taipan.plotting.style import save_figure

FIGURES = (
    Figure("decorrelation_scores", "Training", "decorrelation"),
    Figure("decorrelation_tails", "Training", "decorrelation"),
)


def check_decorrelation(
    inputs: TrainingInputs,
    networks: Mapping[str, Sequence[str]],
    config: Config,
    seed: int,
    threads: int,
    header: dict[str, Any],
    record: str,
    figures: FigureFiles,
) -> None:
    """Write the record and its figures.

    Parameters
    ----------
    inputs
        Events of all regions, and what was measured for them.
    networks
        Name → ONNX file of each fold.
    config
        Sections `folder`, `samples`, `regions`, `features`, `observables`, `training` (its
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
    analysis = open_analysis(config)
    scorers = {
        name: FoldScorer(paths, config.features, threads) for name, paths in networks.items()
    }
    folds = len(next(iter(networks.values())))
    result = judge_decorrelation(
        inputs.skimmed.stream(analysis, folds),
        analysis,
        CheckSettings.of(config, seed),
        read_estimate(config.samples, read_json(inputs.transfer_factor)),
        scorers,
    )
    write_json(record, result)
    numbers = decorrelation_numbers(result, config.regions, header)
    save_figure(region_scores_figure(numbers), figures["decorrelation_scores"], numbers["scores"])
    save_figure(tail_figure(numbers), figures["decorrelation_tails"], numbers["tails"])


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(check_decorrelation)
