"""Neural networks of the section `training`."""

from __future__ import annotations

from taipan.config.sections.classifier import NetworkClassifier
from taipan.nn.classifiers.registry import ClassifierJob


def train_classifier(keys: NetworkClassifier, job: ClassifierJob) -> None:
    """Train the networks of every fold (:func:`~taipan.nn.train.train_network`)."""
    from taipan.nn.train import train_network  # TensorFlow, which the others do without

    train_network(
        job.training_set,
        job.settings,
        job.seed,
        job.models,
        job.record,
        provenance=job.provenance,
        threads=job.threads,
        transformed=job.transformed,
        conditions=job.conditions,
        used=job.used,
        checkpoints=job.checkpoints,
        opponents=job.opponents,
        linear=job.linear,
        pretrained=job.pretrained,
    )
