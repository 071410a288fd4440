"""Checks of the training, its overtraining conditions and the search."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.config.model import Config
from taipan.config.sections.training import FINE_TUNING, most_networks
from taipan.nn.losses.registry import LOSSES
from taipan.suggestions import unknown

Problems = Iterator[str]


def check_training(config: Config) -> Problems:
    """Check the sections `categorical`, `training`, `overtraining` and `tuning`.

    Parameters
    ----------
    config
        Validated configuration.

    Yields
    ------
    str
        One line a problem, with key path, bad value and allowed values.
    """
    yield from _check_networks(config)
    yield from _check_pretraining(config)
    yield from _check_categorical(config)
    yield from _check_conditions(config)
    yield from _check_space(config)


def _check_networks(config: Config) -> Problems:
    training = config.training
    losses = [*LOSSES, *FINE_TUNING]
    if training.loss not in losses:
        yield unknown("training.loss", training.loss, "loss", losses)
    most = most_networks(training.folds)
    if training.networks > most:
        yield (
            f"training.networks: {training.networks} networks a fold, each stopped by other events "
            f"of the training.folds = {training.folds} folds; allowed are 1 to {most}"
        )


def _check_pretraining(config: Config) -> Problems:
    pretrain, path = config.training.pretrain, "training.pretrain"
    if not pretrain.enabled:
        for key in ("overrides", "freeze"):
            if getattr(pretrain, key):
                yield (
                    f"{path}.{key}: {getattr(pretrain, key)!r} is without a pre-training "
                    f"({path}.catalogue)"
                )
        return
    if config.tuning.enabled:
        yield (
            f"{path}: the search (tuning.enabled) would change networks that begin with "
            "pre-trained ones (tuning.enabled: false)"
        )
    layers = _name_layers(config)
    for i, name in enumerate(pretrain.freeze):
        if name not in layers:
            yield unknown(f"{path}.freeze[{i}]", name, "layer of the network", layers)
    if pretrain.epochs and set(layers) <= set(pretrain.freeze):
        yield (
            f"{path}.freeze: no layer is left that could be fine-tuned (some of "
            f"{', '.join(layers)}, or epochs: 0)"
        )


def _name_layers(config: Config) -> list[str]:
    """Name the layers that are trained."""
    embedded = [
        f"embedding_{column}"
        for column, name in enumerate(config.features)
        if name in config.categorical and config.categorical[name].encoding == "embedding"
    ]
    hidden = [f"hidden_{i}" for i in range(len(config.training.hidden_layers))]
    return [*embedded, *hidden, "logit"]


def _check_categorical(config: Config) -> Problems:
    for name, item in config.categorical.items():
        if name not in config.features:
            yield unknown(f"categorical.{name}", name, "feature", config.features)
        if len(set(item.values)) < len(item.values):
            twice = next(value for value in item.values if item.values.count(value) > 1)
            yield f"categorical.{name}.values: {twice:g} is listed twice"


def _check_conditions(config: Config) -> Problems:
    seen: set[str] = set()
    for i, item in enumerate(config.overtraining.conditions):
        if item.metric in seen:
            yield (
                f"overtraining.conditions[{i}].metric: '{item.metric}' already has a condition; "
                "one for each metric is allowed"
            )
        seen.add(item.metric)


def _check_space(config: Config) -> Problems:
    space = config.tuning.space
    for name, above, below in (
        ("dropout", None, 1.0),
        ("l2", 0.0, None),
        ("learning_rate", 0.0, None),
    ):
        low, high = getattr(space, name)
        path = f"tuning.space.{name}"
        if low > high:
            yield f"{path}: [{low:g}, {high:g}] is an empty range; the first must not be larger"
        elif above is not None and not low > above:
            yield f"{path}: {low:g} is not allowed, the range is logarithmic (number, > {above:g})"
        elif below is not None and not high < below:
            yield f"{path}: {high:g} is not allowed (number, < {below:g})"
    for name in ("layers", "units", "activation", "batch_size", "schedule"):
        values = getattr(space, name)
        for i, value in enumerate(values):
            if value in values[:i]:
                yield f"tuning.space.{name}[{i}]: {value} is listed twice"
    for name, listed in space.feature_sets.items():
        path = f"tuning.space.feature_sets.{name}"
        if not listed:
            yield f"{path}: empty; at least one of the features is needed"
        for i, feature in enumerate(listed):
            if feature not in config.features:
                yield unknown(f"{path}[{i}]", feature, "feature", config.features)
