"""Checks of the events of a pre-training against those of the analysis."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.checks.inner_run import (
    Wording,
    check_inner_config,
    check_inner_events,
    load_inner_catalogue,
)
from taipan.config.model import Config
from taipan.config.networks import list_trainings
from taipan.config.pretraining import find_pretraining, name_problem
from taipan.datasets import Catalogue
from taipan.errors import TaipanError

Problems = Iterator[str]

_SHAPE = ("folds", "hidden_layers", "activation", "logit_bound")
"""Keys of `training` that a network has in common with the one that it begins with."""


def check_pretraining_run(config: Config, catalogue: Catalogue, source: Config) -> None:
    """Check the run that networks are pre-trained in, before any of its jobs.

    Parameters
    ----------
    config, catalogue
        Configuration and catalogue of the analysis, which were checked.
    source
        Configuration of the pre-training (:func:`~taipan.config.pretraining.load_source`).

    Raises
    ------
    TaipanError
        One line a problem: a key that the networks must have in common is another, the events may
        be those of the analysis, or its configuration does not fit its catalogue.
    """
    found = find_pretraining(config)
    assert found is not None
    path, _ = found

    def rename(line: str) -> str:
        return name_problem(path, line)

    fast = load_inner_catalogue(source, rename)
    wording = Wording(
        f"{path}.overrides.seed", f"{path}.catalogue", "the networks are trained on anyway"
    )
    problems = [
        *_check_shape(config, source),
        *check_inner_events((config, catalogue), (source, fast), wording),
        *check_inner_config(source, fast, rename),
    ]
    if problems:
        raise TaipanError("\n".join(problems))


def _check_shape(config: Config, source: Config) -> Problems:
    others = list_trainings(source)
    for name, training in list_trainings(config).items():
        if not training.pretrain.enabled:
            continue
        path = f"networks.{name}" if name else "training"
        for key in _SHAPE:
            own, other = getattr(training, key), getattr(others[name], key)
            if own != other:
                yield (
                    f"{path}.pretrain.overrides.training.{key}: {other!r} differs from "
                    f"{path}.{key} ({own!r}), which begins with the pre-trained network"
                )
