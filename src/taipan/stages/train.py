"""Train the classifiers of every fold and export an ONNX file a fold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taipan.config.model import Config
from taipan.nn.classifiers.registry import ClassifierJob, find_classifier
from taipan.nn.inputs import open_linear_events, open_training_events
from taipan.search.setup import TrainingFiles, set_up_training


def train(
    files: TrainingFiles,
    pretrained: Sequence[str],
    config: Config,
    own: Sequence[str],
    seed: int,
    code: str,
    threads: int,
    models: Sequence[str],
    record: str,
    checkpoints: str,
    shared_threads: int = 1,
) -> None:
    """Train the networks of k folds, or what `classifier` names in their place.

    Parameters
    ----------
    files
        Events, weights of the loss and what the search found.
    pretrained
        File of each fold of the rule ``pretrain``, with the networks to begin with; none to begin
        with random ones.
    config
        Sections `folder`, `samples`, `regions`, `features`, `categorical`, `classes`, `training`,
        `classifier` and the conditions of `overtraining`; for a loss of the fit those of
        systematics and fit, too.
    own
        Keys of `training` that this one of several networks has for itself; none if there is only
        one.
    seed
        Seed of the training.
    code
        Version of the code, written into the models.
    threads
        Threads of TensorFlow.
    models
        ONNX file of each fold to write.
    record
        JSON record to write (``docs/training.md``).
    checkpoints
        Folder from whose files a killed training goes on.
    shared_threads
        Threads where several networks are trained at the same time on one machine and share its
        cores: the number of `threads` if that is larger.
    """
    training_set, opponents = open_training_events(files.inputs, config)
    setup = set_up_training(files, training_set, config, own)
    linear = None
    if config.training.is_fine_tuned:
        linear = open_linear_events(files.inputs, config, files.shapes[0])
    job = ClassifierJob(
        training_set,
        setup.training,
        seed,
        [Path(path) for path in models],
        Path(record),
        provenance={"code": code},
        threads=max(threads, shared_threads),
        transformed=setup.transformed,
        conditions=config.overtraining.conditions,
        used=setup.used,
        checkpoints=Path(checkpoints),
        opponents=opponents,
        linear=linear,
        pretrained=[Path(path) for path in pretrained],
    )
    find_classifier(config.classifier.kind)(config.classifier, job)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(train)
