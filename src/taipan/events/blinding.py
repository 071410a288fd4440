"""Which regions must be hidden while an analysis is blinded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from taipan.columns.expressions import parse_expression, provably_disjoint
from taipan.config.sections.regions import Region
from taipan.errors import TaipanError
from taipan.suggestions import unknown


def overlapping_signal(regions: Mapping[str, Region]) -> list[str]:
    """List the signal regions and every region that may share events with one.

    Parameters
    ----------
    regions
        Definitions.

    Returns
    -------
    list of str
        Names, in the order of `regions`. A region is left out only if its cut provably excludes
        that of every signal region.
    """
    cuts = {name: parse_expression(region.cut) for name, region in regions.items()}
    signal = [name for name, region in regions.items() if region.role == "signal"]
    return [
        name
        for name in regions
        if name in signal or not all(provably_disjoint(cuts[name], cuts[s]) for s in signal)
    ]


def check_control_region(path: str, name: str, regions: Mapping[str, Region]) -> Iterator[str]:
    """Yield a line if a region does not exist or may share events with a signal region.

    Parameters
    ----------
    path, name
        Key path, and the region found there.
    regions
        Definitions.
    """
    try:
        hidden = overlapping_signal(regions)
    except TaipanError:
        return  # a cut that cannot be read has a line of its own
    allowed = [item for item in regions if item not in hidden]
    if name not in regions:
        yield unknown(path, name, "region", allowed)
    elif name in hidden:
        yield (
            f"{path}: '{name}' may share events with a signal region, whose data are not looked "
            f"at for this ({', '.join(allowed) or 'there is no other'})"
        )
