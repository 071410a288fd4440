"""Eliminate inputs of the network backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taipan.atomic import write_json
from taipan.config.model import Config
from taipan.jobs.figures import Figure, FigureFiles
from taipan.nn.inputs import TrainingInputs, open_training_set
from taipan.nn.weights.store import read_loss_weights
from taipan.plotting.style import save_figure
from taipan.plotting.tuning import selection_figure
from taipan.search.eliminate import select_inputs as eliminate_inputs
from taipan.search.importance import describe_selection

FIGURES = (Figure("selection", "Training"),)


def select_inputs(
    inputs: TrainingInputs,
    config: Config,
    seed: int,
    threads: int,
    weights: Sequence[str],
    header: dict[str, Any],
    selection: str,
    figures: FigureFiles,
) -> None:
    """Write the elimination and its figure.

    Parameters
    ----------
    inputs
        Events of the training, and what was measured for them.
    config
        Sections `folder`, `samples`, `regions`, `features`, `categorical`, `training`,
        `input_selection` and the conditions of `overtraining`.
    seed
        Seed of the selection.
    threads
        Threads of TensorFlow.
    weights
        Parquet file of the weights of the loss, or none; as of the rule `train`.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    selection
        JSON file to write (``docs/training.md``).
    figures
        Files of the figure `selection`.
    """
    training_set = open_training_set(inputs, config)
    steps = eliminate_inputs(
        training_set,
        config.training,
        config.overtraining.conditions,
        config.input_selection,
        seed,
        threads,
        read_loss_weights(weights, training_set, config.training.network_count),
    )
    metric = config.training.early_stopping_metric.removeprefix("bounded_")
    content = describe_selection(steps, config.input_selection, metric)
    save_figure(selection_figure(content, header), figures["selection"], content)
    write_json(selection, content)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(select_inputs)
