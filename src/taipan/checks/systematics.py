"""Checks of the section `systematics`."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.analysis import Analysis
from taipan.checks.quantities import check_expression, check_possible
from taipan.config.model import Config
from taipan.datasets import Catalogue
from taipan.events.blinding import check_control_region
from taipan.systematics.base import Systematic, Target, check_names


def check_systematics(config: Config, catalogue: Catalogue, analysis: Analysis) -> Iterator[str]:
    """Yield one line a problem of the section `systematics`."""

    def check_region(path: str, region: str) -> Iterator[str]:
        return check_control_region(path, region, config.regions)

    def check_condition(path: str, text: str) -> Iterator[str]:
        yield from check_expression(path, text, analysis)
        yield from check_possible(path, text)

    target = Target(config, catalogue, analysis, check_region, check_condition)
    for name, systematic in config.systematics.items():
        if systematic.made_of_correction:
            continue  # checked where its correction stands
        path = f"systematics.{name}"
        yield from _check_targets(path, systematic, config)
        yield from systematic.check(path, target)


def _check_targets(path: str, systematic: Systematic, config: Config) -> Iterator[str]:
    yield from check_names(f"{path}.samples", "sample", systematic.samples, [*config.samples])
    for i, name in enumerate(systematic.samples):
        estimated = name in config.samples and not config.samples[name].is_simulated
        if estimated and not systematic.may_vary_estimate(config):
            yield (
                f"{path}.samples[{i}]: '{name}' is estimated from data; a {systematic.kind} "
                "systematic reaches it through the simulation that is subtracted (only kind rate "
                "is allowed)"
            )
    if systematic.regions is not None:
        yield from check_names(f"{path}.regions", "region", systematic.regions, [*config.regions])
        if not systematic.regions:
            yield f"{path}.regions: an empty list changes nothing; leave it out for all regions"
    for i, over in enumerate(systematic.decorrelate):
        first = systematic.decorrelate.index(over)
        if first < i:
            yield f"{path}.decorrelate[{i}]: '{over}' is a duplicate of {path}.decorrelate[{first}]"
