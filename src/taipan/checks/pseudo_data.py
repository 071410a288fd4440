"""Checks of a run on a catalogue without collision data."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.config.model import Config


def check_pseudo_data(config: Config) -> Iterator[str]:
    """Refuse what is measured in data: pseudo-data are made of the simulation that it corrects.

    Yields
    ------
    str
        One line a problem.
    """
    why = "needs collision data, and the catalogue has `pseudo_data`"
    for name, sample in config.samples.items():
        if sample.estimate is not None:
            yield f"samples.{name}.estimate: {why} (give the sample `datasets`)"
    for name, weight in config.weights.items():
        if weight.measure is not None:
            yield f"weights.{name}.measure: {why} (a `file`)"
    for name, systematic in config.systematics.items():
        if systematic.measured_in is not None:
            yield f"systematics.{name}: {why} (null)"
    if not config.features:
        return
    if config.decorrelation.enabled:
        yield f"decorrelation.enabled: true {why} (false)"
    trainings = {"training": config.training}
    if not config.training.adversary.enabled:
        trainings = {f"networks.{name}": item for name, item in config.networks.items()}
    for path, training in trainings.items():
        if training.adversary.enabled:
            yield f"{path}.adversary.enabled: true {why} (false)"
