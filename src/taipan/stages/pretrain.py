"""Train the networks that those of the analysis begin with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taipan.config.model import Config
from taipan.nn.inputs import open_training_set
from taipan.search.setup import TrainingFiles, set_up_training


def pretrain(
    files: TrainingFiles,
    config: Config,
    seed: int,
    code: str,
    threads: int,
    networks: Sequence[str],
    record: str,
    checkpoints: str,
) -> None:
    """Train the networks of k folds on the events of a pre-training, without adversary.

    Parameters
    ----------
    files
        Events and weights of the loss.
    config
        Sections `folder`, `samples`, `regions`, `features`, `categorical`, `classes`, `training`
        and the conditions of `overtraining`.
    seed
        Seed of the training.
    code
        Version of the code, written into the files.
    threads
        Threads of TensorFlow.
    networks
        NumPy file of each fold to write (``docs/transfer.md``).
    record
        JSON record to write (``docs/training.md``).
    checkpoints
        Folder from whose files a killed training goes on.
    """
    from taipan.nn.train import pretrain_network  # TensorFlow: only where it is needed

    training_set = open_training_set(files.inputs, config)
    setup = set_up_training(files, training_set, config)
    pretrain_network(
        training_set,
        setup.training,
        seed,
        [Path(path) for path in networks],
        Path(record),
        provenance={"code": code},
        threads=threads,
        transformed=setup.transformed,
        conditions=config.overtraining.conditions,
        checkpoints=Path(checkpoints),
    )


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(pretrain)
