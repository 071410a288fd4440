"""Eliminate inputs of the network backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.atomic import write_json
from taipan.config.slices import restore_slice
from taipan.nn.inputs import open_training_set
from taipan.nn.weights.store import read_weights
from taipan.plotting.style import save_figure
from taipan.plotting.tuning import selection_figure
from taipan.search.eliminate import select_inputs as eliminate_inputs
from taipan.search.importance import describe_selection


def select_inputs(
    events: Mapping[str, Sequence[str]],
    normalisation: str,
    pileup: str,
    transfer_factor: str,
    config: Mapping[str, Any],
    seed: int,
    threads: int,
    weights: Sequence[str],
    header: dict[str, Any],
    selection: str,
    outputs: dict[str, str],
) -> None:
    """Write the elimination and its figure.

    Parameters
    ----------
    events
        Dataset → Parquet files of the skim.
    normalisation, pileup, transfer_factor
        JSON files of the rules of those names.
    config
        Sections `module`, `samples`, `regions`, `features`, `categorical`, `training`,
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
    outputs
        Paths of ``pdf``, ``png`` and ``json`` of the figure.
    """
    settings = restore_slice(config)
    training_set = open_training_set(events, normalisation, pileup, transfer_factor, settings)
    count = settings.training.network_count
    steps = eliminate_inputs(
        training_set,
        settings.training,
        settings.overtraining.conditions,
        settings.input_selection,
        seed,
        threads,
        read_weights(weights[0], training_set, count) if weights else None,
    )
    metric = settings.training.early_stopping_metric.removeprefix("bounded_")
    content = describe_selection(steps, settings.input_selection, metric)
    save_figure(selection_figure(content, header), outputs, content)
    write_json(selection, content)
