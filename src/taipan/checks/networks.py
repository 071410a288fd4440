"""Checks of several networks in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from taipan.config.model import Config
from taipan.config.networks import list_trainings
from taipan.labels import SCORE
from taipan.nn.weights.transform import STORED
from taipan.suggestions import unknown

Problems = Iterator[str]

_SHARED = ("region", "folds", "negative_weights", "refinement", "cells")
"""Keys of the events and their weights, which the networks have in common."""


def check_networks(config: Config) -> Problems:
    """Check the sections `networks` and `fit.network`.

    Parameters
    ----------
    config
        Validated configuration.

    Yields
    ------
    str
        One line a problem, with key path, bad value and allowed values.
    """
    chosen = config.fit.network
    if chosen is not None and chosen not in config.networks:
        yield unknown("fit.network", chosen, "network of `networks`", list(config.networks))
    if not config.networks:
        return
    if config.features and SCORE not in config.observables:
        yield (
            f"networks: no score is an observable, so there is nothing to compare "
            f"(observables.{SCORE})"
        )
    for name, training in config.networks.items():
        # a file of weights has some for every network of a fold
        stored = config.training.negative_weights in STORED
        for key in (*_SHARED, *(("networks", "seeds") if stored else ())):
            own, common = getattr(training, key), getattr(config.training, key)
            if own != common:
                yield (
                    f"networks.{name}.{key}: {own!r} differs from training.{key} ({common!r}), "
                    "which all networks have in common"
                )


def check_each_network(check: Callable[[Config], Problems], config: Config) -> Problems:
    """Check the settings of each network as those of `training` are checked.

    Parameters
    ----------
    check
        Check of `training`.
    config
        Validated configuration.

    Yields
    ------
    str
        One line a problem; a problem of `training` itself is said once.
    """
    common = list(check(config))
    yield from common
    for name, training in list_trainings(config).items():
        if name:
            for line in check(config.model_copy(update={"training": training})):
                if line not in common:
                    yield line.replace("training.", f"networks.{name}.", 1)
