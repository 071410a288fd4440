"""Events that lie in two regions which must not share any."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.columns.expressions import parse_expression, provably_disjoint
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.estimates.registry import find_estimate

Array = NDArray[Any]


def exclusive_pairs(
    regions: Mapping[str, Region], samples: Mapping[str, Sample]
) -> list[tuple[str, str]]:
    """List the pairs of regions that may share no event, and whose cuts do not show it.

    Two fitted regions would count an event twice. So would a fitted region and one whose data stand
    for a sample, and two regions of one estimate, whose numbers must be independent.

    Parameters
    ----------
    regions, samples
        Definitions.

    Returns
    -------
    list of tuple
        Names, each pair once, in the order of `regions`.
    """
    fitted = [name for name, item in regions.items() if item.is_fitted]
    wanted = {frozenset(pair) for pair in itertools.combinations(fitted, 2)}
    found = find_estimate(samples)
    if found is not None:
        sources = list(dict.fromkeys(found[1].sources.values()))
        wanted |= {frozenset(pair) for pair in itertools.product(fitted, sources)}
        wanted |= {frozenset(pair) for pair in found[1].independent}
    cuts = {name: parse_expression(item.cut) for name, item in regions.items()}
    return [
        (first, second)
        for first, second in itertools.combinations(regions, 2)
        if frozenset((first, second)) in wanted and not provably_disjoint(cuts[first], cuts[second])
    ]


class SharedEvents:
    """Counts the events of pairs of regions.

    Parameters
    ----------
    pairs
        Of :func:`exclusive_pairs`.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        self._found: dict[tuple[str, str, str, str], int] = {}

    def add(
        self,
        inside: Mapping[str, Array],
        samples: Mapping[str, Array],
        variation: str = "",
        rows: slice = slice(None),
    ) -> None:
        """Count events.

        Parameters
        ----------
        inside, samples
            Region → mask and sample → mask of the events, shape ``(n,)``; a region may lack.
        variation
            Variation that has put them there; empty for the nominal.
        rows
            Those that count.
        """
        for first, second in self.pairs:
            if first not in inside or second not in inside:
                continue
            shared = inside[first][rows] & inside[second][rows]
            if not shared.any():
                continue
            for sample, mask in samples.items():
                key = (first, second, sample, variation)
                count = int(np.count_nonzero(shared & mask[rows]))
                self._found[key] = self._found.get(key, 0) + count

    def problems(self) -> list[str]:
        """Give a line for each pair, sample and variation with events that both regions have."""
        return [
            f"regions.{second}.cut: {count} event{'' if count == 1 else 's'} of {sample}"
            f"{f' under {variation}' if variation else ''} "
            f"{'is' if count == 1 else 'are'} in region '{first}', too, and would count twice; "
            "their cuts must exclude each other"
            for (first, second, sample, variation), count in self._found.items()
            if count
        ]

    def refuse(self) -> None:
        """Raise a TaipanError with those lines, if there are any."""
        found = self.problems()
        if found:
            raise TaipanError("\n".join(found))
