"""Describe the event weights of samples and regions; judge those of the training, stop or warn."""

from __future__ import annotations

from collections.abc import Sequence

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.nn.inputs import TrainingInputs, open_region_weights, open_training_set
from taipan.nn.scorer import FoldScorer
from taipan.nn.weights.check import describe_weight_failure, judge_weights
from taipan.nn.weights.store import read_loss_weights
from taipan.nn.weights.transform import loss_weights


def check_weights(
    inputs: TrainingInputs,
    config: Config,
    threads: int,
    weights: Sequence[str],
    models: Sequence[str],
    record: str,
    diagnostics: str,
    verdict: str,
) -> None:
    """Write diagnostics and verdict.

    Parameters
    ----------
    inputs
        Events of the training, and what was measured for them.
    config
        Sections `folder`, `samples`, `regions`, `features`, `training` and `weight_check`.
    threads
        Threads of a network.
    weights
        Parquet file of the weights of the loss, or none.
    models, record
        ONNX file of each fold and JSON record of the training.
    diagnostics, verdict
        JSON files to write (``docs/negative_weights.md``).

    Raises
    ------
    TaipanError
        If a condition fails and `weight_check.on_failure` is `stop`; both files are written first.
    """
    training_set = open_training_set(inputs, config)
    training = config.training
    stored = read_loss_weights(weights, training_set, training.network_count)
    scorer = FoldScorer(models, training_set.names, threads)
    described, judged = judge_weights(
        training_set,
        loss_weights(training_set, training, stored),
        scorer.classes.signal_score(scorer.score(training_set.features, training_set.folds)),
        read_json(record),
        open_region_weights(inputs, config),
        training,
        config.weight_check,
    )
    write_json(diagnostics, described)
    write_json(verdict, judged)
    if not judged["passed"] and judged["action"] == "stop":
        raise TaipanError(describe_weight_failure(judged))


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(check_weights)
