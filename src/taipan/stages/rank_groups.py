"""Train networks without groups of features, to learn what would be lost."""

from __future__ import annotations

from collections.abc import Sequence

from taipan.atomic import write_json, write_text
from taipan.config.model import Config
from taipan.nn.inputs import TrainingInputs, open_training_set
from taipan.nn.weights.store import read_loss_weights
from taipan.search.eliminate import measure_groups
from taipan.search.importance import Value


def rank_groups(
    inputs: TrainingInputs,
    config: Config,
    seed: int,
    threads: int,
    weights: Sequence[str],
    groups: str,
    text: str,
) -> None:
    """Write what the loss of validation events gains without each group.

    Parameters
    ----------
    inputs
        Events of the training, and what was measured for them.
    config
        Sections `folder`, `samples`, `regions`, `features`, `categorical`, `training`,
        `robustness` and the conditions of `overtraining`.
    seed
        Seed of the trainings.
    threads
        Threads of TensorFlow.
    weights
        Parquet file of the weights of the loss, or none; as of the rule `train`.
    groups, text
        Files to write: JSON and Markdown (``docs/explaining.md``).
    """
    training_set = open_training_set(inputs, config)
    chosen = config.robustness.groups or {name: [name] for name in config.features}
    found = measure_groups(
        training_set,
        config.training,
        config.overtraining.conditions,
        chosen,
        config.robustness.repeats,
        seed,
        threads,
        read_loss_weights(weights, training_set, config.training.network_count),
    )
    ranked = sorted(found, key=lambda name: -found[name]["retrain"].mean)
    content = {
        name: {
            "features": list(chosen[name]),
            **{kind: [value.mean, value.sigma] for kind, value in found[name].items()},
        }
        for name in ranked
    }
    write_json(groups, content)
    rows = [
        f"| {name} | {_write(found[name]['retrain'])} | {_write(found[name]['shuffle'])} |"
        for name in ranked
    ]
    head = ["| without | lost, trained again | lost, only shuffled |", "| --- | ---: | ---: |"]
    write_text(text, "\n".join([*head, *rows, ""]))


def _write(value: Value) -> str:
    return f"{value.mean:+.5f} ± {value.sigma:.5f}"


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(rank_groups)
