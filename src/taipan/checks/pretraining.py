"""Checks of the events of a pre-training against those of the analysis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from taipan.analysis_selection import load_analysis
from taipan.checks.configuration import check_config
from taipan.config.load import load_catalogue
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
    try:
        fast = load_catalogue(source)
    except TaipanError as error:
        raise TaipanError(name_problem(path, str(error))) from error
    problems = [
        *_check_shape(config, source),
        *_check_events(path, config, catalogue, source, fast),
    ]
    try:
        analysis = load_analysis(Path(source.folder), source.quantities)
        check_config(source, fast, analysis, writes=False)
    except TaipanError as error:
        problems += [name_problem(path, line) for line in str(error).splitlines()]
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


def _check_events(
    path: str, config: Config, catalogue: Catalogue, source: Config, fast: Catalogue
) -> Problems:
    """Refuse events that may be those of the analysis, in other folds or all of them."""
    if fast.kind == "simulation":
        if catalogue.kind == "simulation" and source.seed == config.seed:
            yield (
                f"{path}.overrides.seed: {source.seed} is the seed of the run, whose simulated "
                "events are in its templates (another one, or leave it out)"
            )
        return
    if fast.name == catalogue.name:
        yield (
            f"{path}.catalogue: '{fast.name}' is the catalogue of the run itself, whose events "
            "the networks are trained on anyway (another one)"
        )
    elif (fast.kind, fast.table is None) != (catalogue.kind, catalogue.table is None):
        yield (
            f"{path}.catalogue: '{fast.name}' has files of kind '{fast.kind}', '{catalogue.name}' "
            f"of kind '{catalogue.kind}', which identify events in another way: one that is in "
            "both would be in two folds (a simulation, or files of the same kind)"
        )
