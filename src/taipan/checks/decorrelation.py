"""Checks of the section `decorrelation`."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.analysis import Analysis
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.events.blinding import overlapping_signal
from taipan.suggestions import unknown

OWN = "network"
"""Name of this run's networks among those that are judged."""


def check_decorrelation(config: Config, analysis: Analysis) -> Iterator[str]:
    """Yield one line a problem of the section `decorrelation`."""
    judge = config.decorrelation
    for i, name in enumerate(judge.regions):
        yield from check_control_region(f"decorrelation.regions[{i}]", name, config)
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


def check_control_region(path: str, name: str, config: Config) -> Iterator[str]:
    """Yield a line if a region does not exist or may share events with a signal region.

    Parameters
    ----------
    path, name
        Key path, and the region found there.
    config
        Validated configuration.
    """
    try:
        hidden = overlapping_signal(config.regions)
    except TaipanError:
        return  # a cut that cannot be read has a line of its own
    allowed = [item for item in config.regions if item not in hidden]
    if name not in config.regions:
        yield unknown(path, name, "region", allowed)
    elif name in hidden:
        yield (
            f"{path}: '{name}' may share events with a signal region, whose data are not looked "
            f"at for this ({', '.join(allowed) or 'there is no other'})"
        )
