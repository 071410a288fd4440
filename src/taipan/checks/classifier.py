"""Checks of what gives the score."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from taipan.config.model import Config
from taipan.config.sections.classifier import BoostedTrees, ModelFile
from taipan.errors import TaipanError
from taipan.nn.classes import Classes

Problems = Iterator[str]


def check_classifier(config: Config) -> Problems:
    """Check the section `classifier`, and what goes with networks alone.

    Parameters
    ----------
    config
        Validated configuration.

    Yields
    ------
    str
        One line a problem, with key path, bad value and allowed values.
    """
    kind = config.classifier.kind
    if kind == "network":
        return
    for path, used, value in (
        ("tuning.enabled", config.tuning.enabled, "true"),
        ("training.adversary.enabled", config.training.adversary.enabled, "true"),
        ("networks", bool(config.networks), "not empty"),
        ("training.pretrain.catalogue", config.training.pretrain.enabled, "a catalogue"),
        ("training.seeds", config.training.seeds > 1, str(config.training.seeds)),
        ("training.decorrelate", bool(config.training.decorrelate), "not empty"),
    ):
        if used:
            yield f"{path}: {value} is for networks; classifier.kind is '{kind}' (network)"
    yield from _CHECKS[kind](config)


def _check_trees(config: Config) -> Problems:
    from taipan.nn.classifiers.xgboost import import_xgboost

    try:
        import_xgboost()
    except TaipanError as error:
        yield str(error)


def _check_file(config: Config) -> Problems:
    # it loads ONNX, which no other analysis needs to be checked
    from taipan.nn.classifiers.file import order_folds, read_classifier

    keys = config.classifier
    assert isinstance(keys, ModelFile)
    classes = Classes.of(_known(config), config.samples)
    try:
        read = [read_classifier(path, config.features, classes) for path in keys.models]
        order_folds(keys, [metadata for _, metadata in read], config.training.folds)
    except TaipanError as error:
        yield str(error)


def _known(config: Config) -> dict[str, list[str]]:
    """Classes without samples that do not exist, which have a line of their own."""
    return {k: [n for n in names if n in config.samples] for k, names in config.classes.items()}


_CHECKS: dict[str, Callable[[Config], Problems]] = {
    BoostedTrees.model_fields["kind"].default: _check_trees,
    ModelFile.model_fields["kind"].default: _check_file,
}
