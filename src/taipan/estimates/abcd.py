"""ABCD estimate: data minus simulation of B, times the ratio of C to D.

With `statistics: poisson` the counts of B, C and D enter the fit as those of A do: the events of
the sample in each bin of B, and its yields in C and D, are free parameters, and A has those of B
times the ratio. Signal in B, C and D then scales with its strength, and no count is too small. With
`gaussian` the data of B are taken as they are, and the ratio has a parameter with its uncertainty.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from taipan.config.base import Name, Strict
from taipan.estimates.base import CountedPlane, Estimate, EstimatePart, FactorChange
from taipan.estimates.ratio import measure_transfer_factor
from taipan.suggestions import unknown

if TYPE_CHECKING:
    from taipan.config.model import Config


NON_CLOSURE = "abcd_non_closure"
"""Parameter of the fit: how far the estimate is off."""
LARGEST_NON_CLOSURE = 0.99
"""A yield stays positive at -1σ."""


class Plane(Strict):
    """The regions B, C and D that a region A is estimated from."""

    source: Name = Field(description="B: region whose events stand for the sample.")
    numerator: Name = Field(description="C: region that differs from A by the cut that B keeps.")
    denominator: Name = Field(description="D: region that differs from A by both cuts.")


class Validation(Plane):
    """A plane in which the estimate is compared with the data of its A."""

    region: Name = Field(description="A: region whose data are compared with the estimate.")


class Abcd(Estimate):
    """Two independent cuts divide the events into A, B, C and D: N_A = N_B · N_C / N_D.

    Each region has a plane of its own. Two with the same C and D share the parameter of the ratio.
    """

    method: Literal["abcd"] = Field(
        description="data minus simulation of B, times the ratio of C to D."
    )
    planes: dict[Name, Plane] = Field(min_length=1, description="Region A → its B, C and D.")
    statistics: Literal["poisson", "gaussian"] = Field(
        "poisson",
        description="`poisson`: the counts of B, C and D are fitted, with free yields of the "
        "sample there; `gaussian`: B is taken as it is, and the ratio has a constrained parameter.",
    )
    non_closure: Annotated[float, Field(ge=0.0, lt=1.0)] | Validation = Field(
        0.0,
        description="Relative uncertainty for what the method misses: a size, or four regions in "
        "which it is measured, `{region: V, source: VB, numerator: VC, denominator: VD}`.",
    )

    places: ClassVar[str] = "planes"
    ending: ClassVar[str] = "_subtracted"
    title: ClassVar[str] = "ABCD factor"

    @property
    def sources(self) -> Mapping[str, str]:
        """Region → its B."""
        return {region: plane.source for region, plane in self.planes.items()}

    @property
    def measured_in(self) -> tuple[str, ...]:
        """All regions C and D, and those in which the closure is measured."""
        pairs = [(plane.numerator, plane.denominator) for plane in self.planes.values()]
        names = [name for pair in pairs for name in pair]
        if isinstance(self.non_closure, Validation):
            valid = self.non_closure
            names += [valid.region, valid.source, valid.numerator, valid.denominator]
        return tuple(dict.fromkeys(names))

    @property
    def independent(self) -> list[tuple[str, str]]:
        """The corners of each plane."""
        corners = [
            (region, plane.source, plane.numerator, plane.denominator)
            for region, plane in self.planes.items()
        ]
        if isinstance(self.non_closure, Validation):
            valid = self.non_closure
            corners.append((valid.region, valid.source, valid.numerator, valid.denominator))
        return [pair for names in corners for pair in itertools.combinations(names, 2)]

    @property
    def counted(self) -> Mapping[str, CountedPlane]:
        """All planes, if their counts are fitted."""
        if self.statistics != "poisson":
            return {}
        return {
            region: CountedPlane(
                plane.source, plane.numerator, plane.denominator, self.parameter(region)
            )
            for region, plane in self.planes.items()
        }

    def measure(
        self,
        yields: Mapping[str, tuple[float, float]],
        simulated: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """Divide the yields of C and D of each region."""
        found = {}
        for region, plane in self.planes.items():
            names = (plane.numerator, plane.denominator)
            found[region] = measure_transfer_factor(yields[names[0]], yields[names[1]], names)
        record: dict[str, Any] = {"regions": {name: item.to_dict() for name, item in found.items()}}
        if isinstance(self.non_closure, Validation):
            record["non_closure"] = _measure_closure(self.non_closure, yields)
        return record

    def _non_closure(self, record: Mapping[str, Any]) -> float:
        """Give the relative uncertainty of the closure; 0 for none."""
        if isinstance(self.non_closure, Validation):
            return float(record["non_closure"]["size"])
        return self.non_closure

    def parts(self, record: Mapping[str, Any], region: str) -> tuple[EstimatePart, ...]:
        """Add the parameter of the closure to that of the ratio."""
        (part,) = super().parts(record, region)
        size = self._non_closure(record)
        more = {NON_CLOSURE: FactorChange.of_size(size)} if size else {}
        return (replace(part, changes={**part.changes, **more}),)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Those of the ratios, and of the closure."""
        known = super().parameters
        return (*known, NON_CLOSURE) if self.non_closure else known

    def factor(self, record: Mapping[str, Any], region: str) -> float:
        """Give the ratio of the region's C and D."""
        return float(record["regions"][region]["value"])

    def relative_uncertainty(self, record: Mapping[str, Any], region: str) -> float:
        """Give that of the region's ratio."""
        return float(record["regions"][region]["relative_uncertainty"])

    def parameter(self, region: str) -> str:
        """Name the parameter of the ratio of C and D."""
        plane = self.planes[region]
        return f"abcd_{plane.numerator}_{plane.denominator}"

    def check(self, path: str, config: Config) -> Iterator[str]:
        """Yield one line a problem of the keys."""
        problems = [*self._check_planes(path, config)]
        yield from problems or self._check_counted(path, config)
        if isinstance(self.non_closure, Validation):
            for key, name in self.non_closure.model_dump().items():
                if name not in config.regions:
                    yield unknown(f"{path}.non_closure.{key}", name, "region", config.regions)

    def _check_planes(self, path: str, config: Config) -> Iterator[str]:
        """Yield problems of the corners."""
        yield from self.check_sources(path, config)
        for region, plane in self.planes.items():
            names = {"source": plane.source}
            for key in ("numerator", "denominator"):
                name, where = getattr(plane, key), f"{path}.planes.{region}.{key}"
                if name not in config.regions:
                    yield unknown(where, name, "region", config.regions)
                elif name in (region, *names.values()):
                    yield f"{where}: '{name}' is also another corner of the plane"
                names[key] = name

    def _check_counted(self, path: str, config: Config) -> Iterator[str]:
        """Refuse planes that cannot be fitted together."""
        sources: dict[str, str] = {}
        others = {n for item in self.counted.values() for n in (item.numerator, item.denominator)}
        for region, plane in self.counted.items():
            where = f"{path}.planes.{region}"
            if plane.source in sources:
                yield (
                    f"{where}.source: '{plane.source}' is also that of '{sources[plane.source]}'; "
                    "with statistics: poisson each region needs a B of its own (gaussian)"
                )
            sources.setdefault(plane.source, region)
            if plane.source in others:
                yield (
                    f"{where}.source: '{plane.source}' is also a C or D, and cannot be fitted "
                    "twice (statistics: gaussian)"
                )
            for name in (plane.source, plane.numerator, plane.denominator):
                if name in config.regions and config.regions[name].is_fitted:
                    yield (
                        f"{where}: '{name}' has role {config.regions[name].role}; with statistics: "
                        "poisson its counts are fitted already (role estimate)"
                    )


def _measure_closure(
    valid: Validation, yields: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """Compare the estimate with what is there; at least the uncertainty of the comparison."""
    names = (valid.numerator, valid.denominator)
    ratio = measure_transfer_factor(yields[names[0]], yields[names[1]], names)
    names = (valid.region, valid.source)
    found = measure_transfer_factor(yields[names[0]], yields[names[1]], names)
    closure = found.value / ratio.value
    sigma = closure * math.hypot(found.stat / found.value, ratio.stat / ratio.value)
    return {
        "observed_over_estimated": closure,
        "sigma": sigma,
        "size": min(max(abs(closure - 1.0), sigma), LARGEST_NON_CLOSURE),
    }
