"""Compare the score of training and held-out events; stop or warn."""

from __future__ import annotations

from collections.abc import Sequence

from taipan.atomic import write_json
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.nn.inputs import TrainingInputs, open_training_set
from taipan.nn.overtraining import (
    describe_overtraining_failure,
    judge_overtraining,
    leave_out_overtraining,
)


def check_overtraining(
    inputs: TrainingInputs,
    config: Config,
    threads: int,
    models: Sequence[str],
    verdict: str,
) -> None:
    """Write the verdict on the networks; of one that was trained elsewhere that there is none.

    Parameters
    ----------
    inputs
        Events of the training, and what was measured for them.
    config
        Sections `folder`, `samples`, `regions`, `features`, `training`, `classes`,
        `classifier` and `overtraining`.
    threads
        Threads of a network.
    models
        ONNX file of each fold.
    verdict
        JSON file to write (``docs/training.md``).

    Raises
    ------
    TaipanError
        If a condition fails and `overtraining.on_failure` is `stop`; the verdict is written first.
    """
    if not config.classifier.is_judged:
        write_json(verdict, leave_out_overtraining(config.overtraining))
        return
    training_set = open_training_set(inputs, config)
    result = judge_overtraining(training_set, models, config.overtraining, threads)
    write_json(verdict, result)
    if not result["passed"] and result["action"] == "stop":
        raise TaipanError(describe_overtraining_failure(result))


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(check_overtraining)
