"""Which regions must be hidden while an analysis is blinded."""

from __future__ import annotations

from collections.abc import Mapping

from taipan.columns.expressions import parse_expression, provably_disjoint
from taipan.config.sections.regions import Region


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
