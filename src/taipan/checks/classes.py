"""Checks of the classes, and of what uses their scores before or after a network is asked."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.analysis import Analysis
from taipan.checks.classifier import check_classifier
from taipan.columns.expressions import Expression, parse_expression
from taipan.config.model import Config
from taipan.config.sections.observables import quantity_expressions
from taipan.config.sections.regions import Region
from taipan.errors import TaipanError
from taipan.events.selection import early_regions
from taipan.labels import LARGEST_CLASS, SCORE, name_score
from taipan.nn.losses.registry import CLASS_LOSSES
from taipan.suggestions import unknown

Problems = Iterator[str]


def check_classes(config: Config, analysis: Analysis) -> Problems:
    """Check the sections `classes` and `classifier`, and every use of a score in cuts and texts.

    Parameters
    ----------
    config
        Validated configuration.
    analysis
        Its analysis module.

    Yields
    ------
    str
        One line a problem, with key path, bad value and allowed values.
    """
    if config.features:
        yield from check_classifier(config)
    if config.classes:
        yield from _check_members(config)
    if config.classes and config.training.event_loss not in CLASS_LOSSES:
        yield unknown("training.loss", config.training.loss, "loss of several classes",
                      CLASS_LOSSES)  # fmt: skip
    for name in config.networks:
        if name in config.classes:
            yield (
                f"networks.{name}: '{name}' is also a class; both would have the observable "
                f"{name_score(name)}"
            )
    for path, expression in _expressions(config):
        yield from _check_scores(path, expression, config)
    yield from _check_early(config, analysis)


def score_names(config: Config) -> list[str]:
    """List the scores that the networks of a configuration give."""
    return [SCORE, *map(name_score, config.classes)] if config.features else []


def _check_members(config: Config) -> Problems:
    if not config.features:
        yield "classes: without `features` there is no network to tell them apart"
    if len(config.classes) < 2:
        yield f"classes: only {', '.join(config.classes)}; at least two are needed"
    seen: dict[str, str] = {}
    roles: set[str] = set()
    for name, listed in config.classes.items():
        if not listed:
            yield f"classes.{name}: empty; at least one sample is needed"
        own: dict[str, str] = {}
        for i, sample in enumerate(listed):
            path = f"classes.{name}[{i}]"
            if sample not in config.samples:
                yield unknown(path, sample, "sample", config.samples)
                continue
            if sample in seen:
                yield f"{path}: '{sample}' is already in class '{seen[sample]}'; one is allowed"
            seen.setdefault(sample, name)
            own.setdefault(config.samples[sample].role, sample)
        if len(own) > 1:
            yield (
                f"classes.{name}: '{own['signal']}' is signal, '{own['background']}' background; a "
                "class is one of the two, so that nn_score is the score of the signal"
            )
        roles |= set(own)
    for role in ("signal", "background"):
        if role not in roles and len(config.classes) > 1:
            yield f"classes: no class has a sample with role {role}; at least one is needed"


def _expressions(config: Config) -> Iterator[tuple[str, Expression]]:
    texts = [(f"regions.{name}.cut", item.cut) for name, item in config.regions.items()]
    expressions = quantity_expressions(config.quantities)
    texts += [(f"quantities.{name}", text) for name, text in expressions.items()]
    for path, text in texts:
        try:
            yield path, parse_expression(text)
        except TaipanError:
            continue  # reported where the expression stands


def _check_scores(path: str, expression: Expression, config: Config) -> Problems:
    known = [*score_names(config), *([LARGEST_CLASS] if config.classes else ())]
    for name in expression.names:
        if (name == LARGEST_CLASS or name.startswith(SCORE)) and name not in known:
            yield unknown(path, name, "score", known)
    for text in expression.texts:
        if text not in config.classes:
            yield unknown(path, text, "class", config.classes)


def _check_early(config: Config, analysis: Analysis) -> Problems:
    """Refuse regions that need a score where no network is trained yet."""
    early = early_regions(_readable(config), analysis.is_late)
    places = {"training.region": config.training.region}
    if config.training.adversary.enabled:
        place = "training.adversary.control_sample.region"
        places[place] = config.training.adversary.control_sample.region
    for i, decorrelated in enumerate(config.training.decorrelate):
        places[f"training.decorrelate[{i}].region"] = decorrelated.region
    for i, region in enumerate(config.decorrelation.regions):
        places[f"decorrelation.regions[{i}]"] = region
    for name, correction in config.corrections.items():
        for i, region in enumerate(correction.regions or ()):
            places[f"corrections.{name}.regions[{i}]"] = region
    for name, sample in config.samples.items():
        if sample.estimate is None:
            continue
        path = f"samples.{name}.estimate"
        for i, region in enumerate(sample.estimate.measured_in):
            places[f"{path} (measured in, {i + 1})"] = region
        source = sample.estimate.sources.get(config.training.region)
        if source is not None:
            places[f"{path}.{sample.estimate.places}.{config.training.region}"] = source
    for path, region in places.items():
        if region in config.regions and region not in early:
            yield (
                f"{path}: the cut of '{region}' needs a score, which is not known there yet "
                f"({', '.join(early)})"
            )


def _readable(config: Config) -> dict[str, Region]:
    """Regions whose cuts can be read; the others have a line of their own."""
    found = {}
    for name, region in config.regions.items():
        try:
            parse_expression(region.cut)
        except TaipanError:
            continue
        found[name] = region
    return found
