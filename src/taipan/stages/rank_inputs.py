"""Measure and draw the permutation importance of the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.config.slices import restore_slice
from taipan.nn.inputs import open_training_set
from taipan.nn.scorer import FoldScorer
from taipan.plotting.style import save_figure
from taipan.plotting.tuning import bar_figure, importance_numbers
from taipan.search.importance import permutation_importance


def rank_inputs(
    events: Mapping[str, Sequence[str]],
    normalisation: str,
    pileup: str,
    transfer_factor: str,
    config: Mapping[str, Any],
    seed: int,
    threads: int,
    models: Sequence[str],
    header: dict[str, Any],
    outputs: dict[str, str],
) -> None:
    """Write the figure `importance` with its numbers.

    Parameters
    ----------
    events
        Dataset → Parquet files of the skim.
    normalisation, pileup, transfer_factor
        JSON files of the rules of those names.
    config
        Sections `module`, `samples`, `regions`, `features`, `categorical`, `training` and
        `input_selection`.
    seed
        Seed of the shuffles.
    threads
        Threads of a network.
    models
        ONNX file of each fold.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    outputs
        Paths of ``pdf``, ``png`` and ``json``.
    """
    settings = restore_slice(config)
    training_set = open_training_set(events, normalisation, pileup, transfer_factor, settings)
    scorer = FoldScorer(models, training_set.names, threads)
    repeats = settings.input_selection.repeats
    found = permutation_importance(training_set, scorer, repeats, seed)
    numbers = importance_numbers(found, repeats, header)
    label = "Loss of AUC of held-out events when shuffled"
    save_figure(bar_figure(numbers["importance"], header, label, "Inputs"), outputs, numbers)
