"""All methods of estimating a background from data, and the one that an analysis uses."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from numpy.typing import NDArray
from pydantic import Field

from taipan.errors import TaipanError
from taipan.estimates.base import CountedPlane, Estimate, EstimatePart
from taipan.rooms import import_room

if TYPE_CHECKING:
    from taipan.config.sections.regions import Region
    from taipan.config.sections.samples import Sample

Array = NDArray[Any]

import_room("taipan.estimates")
METHODS: tuple[type[Estimate], ...] = tuple(
    sorted(Estimate.__subclasses__(), key=lambda method: method.__name__)
)

if TYPE_CHECKING:
    AnyEstimate = Estimate
else:
    AnyEstimate = functools.reduce(operator.or_, METHODS)
    if len(METHODS) > 1:
        AnyEstimate = Annotated[AnyEstimate, Field(discriminator="method")]
"""Keys of ``samples.NAME.estimate``: those of the method that `method` names."""


@dataclass(frozen=True)
class MeasuredEstimate:
    """The estimate of an analysis, with what was measured for it.

    Attributes
    ----------
    sample
        Sample that is estimated.
    method
        How.
    record
        Of :meth:`Estimate.measure`.
    """

    sample: str
    method: Estimate
    record: Mapping[str, Any]

    def source(self, region: str) -> str | None:
        """Give the region whose data minus simulation stand for the sample, if there is one."""
        return self.method.sources.get(region)

    def filled_in(self, region: str) -> tuple[str, ...]:
        """Name what is filled to estimate the sample in a region; nothing without a source."""
        return self.method.filled_in(region) if region in self.method.sources else ()

    def parts(self, region: str) -> tuple[EstimatePart, ...]:
        """Give what is added up in a region; nothing without a source.

        Raises
        ------
        TaipanError
            If a factor or the size of an uncertainty is not a positive number.
        """
        if region not in self.method.sources:
            return ()
        self.factor(region)
        self.relative_uncertainty(region)
        return self.method.parts(self.record, region)

    def factor(self, region: str) -> float:
        """Give the factor of a region's source.

        Raises
        ------
        TaipanError
            If it is not a positive number.
        """
        return self._positive("factor", region)

    def relative_uncertainty(self, region: str) -> float:
        """Give the relative uncertainty of that factor; raises as :meth:`factor`."""
        return self._positive("relative_uncertainty", region)

    def weigh(self, region: str, quantities: Mapping[str, Array]) -> Array:
        """Give the factor of each event of a region's source, shape ``(n,)``."""
        return self.method.weigh(self.record, region, quantities)

    def parameter(self, region: str) -> str:
        """Name the parameter of the uncertainty of a region's factor."""
        return self.method.parameter(region)

    def subtracted(self, sample: str) -> str:
        """Name the part of a simulated sample that is subtracted, in the model of the fit."""
        return f"{sample}{self.method.ending}"

    def _positive(self, key: str, region: str) -> float:
        try:
            number = float(getattr(self.method, key)(self.record, region))
        except (KeyError, TypeError, ValueError):
            number = math.nan
        if not (math.isfinite(number) and number > 0.0):
            raise TaipanError(
                f"samples.{self.sample}.estimate: {key.replace('_', ' ')} of region {region} is "
                f"{number:g}; it must be a positive number"
            )
        return number


def find_estimate(samples: Mapping[str, Sample]) -> tuple[str, Estimate] | None:
    """Give the sample that is estimated from data, and how; None if all are simulated.

    There is one at most: it is all that is left of the data without the simulation.
    """
    for name, sample in samples.items():
        if sample.estimate is not None:
            return name, sample.estimate
    return None


def find_sources(samples: Mapping[str, Sample]) -> Mapping[str, str]:
    """Give region → region whose data minus simulation are an estimate there; maybe none."""
    found = find_estimate(samples)
    return {} if found is None else found[1].sources


def filled_places(samples: Mapping[str, Sample]) -> Mapping[str, tuple[str, ...]]:
    """Give region → what is filled to estimate a sample there: its source, or parts of it."""
    found = find_estimate(samples)
    return {} if found is None else {name: found[1].filled_in(name) for name in found[1].sources}


def counted_planes(samples: Mapping[str, Sample]) -> Mapping[str, CountedPlane]:
    """Give region → regions whose counts are fitted together with it; maybe none."""
    found = find_estimate(samples)
    return {} if found is None else found[1].counted


def list_cross_checks(samples: Mapping[str, Sample]) -> dict[str, Estimate]:
    """Give name → other method of the sample that is estimated from data."""
    return {name: item for sample in samples.values() for name, item in sample.cross_checks.items()}


def read_cross_checks(
    samples: Mapping[str, Sample], record: Mapping[str, Any] | None
) -> dict[str, MeasuredEstimate]:
    """Put the other estimates of a sample and their records together, by name."""
    found = find_estimate(samples)
    records = (record or {}).get("cross_checks", {})
    methods = list_cross_checks(samples)
    if found is None:
        return {}
    return {name: MeasuredEstimate(found[0], methods[name], item) for name, item in records.items()}


def add_divided(regions: Mapping[str, Region], samples: Mapping[str, Sample]) -> dict[str, Region]:
    """Add the parts of regions that are filled for an estimate to the regions.

    Raises
    ------
    TaipanError
        If two estimates divide a region in different ways.
    """
    found = find_estimate(samples)
    methods = [] if found is None else [found[1], *list_cross_checks(samples).values()]
    filled = dict(regions)
    for method in methods:
        for name, part in method.divide(regions).items():
            if filled.setdefault(name, part).cut != part.cut:
                raise TaipanError(
                    f"two estimates divide the region '{name.partition('[')[0]}' into other bins; "
                    "give them the same binning, or a region each"
                )
    return filled


def read_estimate(
    samples: Mapping[str, Sample], record: Mapping[str, Any] | None
) -> MeasuredEstimate | None:
    """Put the estimate of an analysis and its record together; None without one of the two."""
    found = find_estimate(samples)
    return None if found is None or not record else MeasuredEstimate(*found, record)


@functools.cache
def true_factors() -> dict[str, str]:
    """Key of a simulation's truth with a true factor → what the factor is called."""
    return {method.truth: method.title for method in METHODS if method.truth}
