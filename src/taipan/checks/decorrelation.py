"""Checks of the section `decorrelation`."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.analysis import Analysis
from taipan.config.model import Config
from taipan.events.blinding import check_control_region
from taipan.suggestions import unknown

OWN = "network"
"""Name of this run's networks among those that are judged."""


def check_decorrelation_settings(config: Config, analysis: Analysis) -> Iterator[str]:
    """Yield one line a problem of the section `decorrelation`."""
    judge = config.decorrelation
    for i, name in enumerate(judge.regions):
        yield from check_control_region(f"decorrelation.regions[{i}]", name, config.regions)
    if OWN in judge.compare:
        yield f"decorrelation.compare.{OWN}: the name is taken by the networks of this run"
    for key in ("variables", "condition_on"):
        needed = key == "condition_on"  # the adversary cannot see what is missing
        usable = [
            name
            for name, item in analysis.quantities.items()
            if not item.simulation_only and not (needed and item.may_be_missing)
        ]
        what = "quantity that every event of data has" if needed else "quantity that data have"
        for i, name in enumerate(getattr(judge, key)):
            if name not in usable:
                yield unknown(f"decorrelation.{key}[{i}]", name, what, usable)
    for key in ("regions", "efficiencies", "variables", "condition_on"):
        values = getattr(judge, key)
        for i, value in enumerate(values):
            if value in values[:i]:
                yield f"decorrelation.{key}[{i}]: {value!r} is listed twice"
