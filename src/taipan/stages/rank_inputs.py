"""Measure and draw the permutation importance of the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taipan.config.model import Config
from taipan.jobs.figures import Figure, FigureFiles
from taipan.nn.inputs import TrainingInputs, open_training_set
from taipan.nn.scorer import FoldScorer
from taipan.plotting.style import save_figure
from taipan.plotting.tuning import bar_figure, importance_numbers
from taipan.search.importance import permutation_importance

FIGURES = (Figure("importance", "Training"),)


def rank_inputs(
    inputs: TrainingInputs,
    config: Config,
    seed: int,
    threads: int,
    models: Sequence[str],
    header: dict[str, Any],
    figures: FigureFiles,
) -> None:
    """Write the figure `importance` with its numbers.

    Parameters
    ----------
    inputs
        Events of the training, and what was measured for them.
    config
        Sections `folder`, `samples`, `regions`, `features`, `categorical`, `training` and
        `input_selection`.
    seed
        Seed of the shuffles.
    threads
        Threads of a network.
    models
        ONNX file of each fold.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    figures
        Files of the figure `importance`.
    """
    training_set = open_training_set(inputs, config)
    scorer = FoldScorer(models, training_set.names, threads)
    repeats = config.input_selection.repeats
    found = permutation_importance(training_set, scorer, repeats, seed)
    numbers = importance_numbers(found, repeats, header)
    label = "Loss of AUC of held-out events when shuffled"
    save_figure(
        bar_figure(numbers["importance"], header, label, "Inputs"), figures["importance"], numbers
    )


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(rank_inputs)
