"""ABCD estimate: data minus simulation of B, times the ratio of C to D."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from taipan.config.base import Name, Strict
from taipan.estimates.base import Estimate
from taipan.estimates.ratio import measure_transfer_factor
from taipan.suggestions import unknown

if TYPE_CHECKING:
    from taipan.config.model import Config


class Plane(Strict):
    """The regions B, C and D that a region A is estimated from."""

    source: Name = Field(description="B: region whose events stand for the sample.")
    numerator: Name = Field(description="C: region that differs from A by the cut that B keeps.")
    denominator: Name = Field(description="D: region that differs from A by both cuts.")


class Abcd(Estimate):
    """Two independent cuts divide the events into A, B, C and D: N_A = N_B · N_C / N_D.

    Each region has a plane of its own. Two with the same C and D share the parameter of the ratio.
    """

    method: Literal["abcd"] = Field(
        description="data minus simulation of B, times the ratio of C to D."
    )
    planes: dict[Name, Plane] = Field(min_length=1, description="Region A → its B, C and D.")

    places: ClassVar[str] = "planes"
    ending: ClassVar[str] = "_subtracted"
    title: ClassVar[str] = "ABCD factor"

    @property
    def sources(self) -> Mapping[str, str]:
        """Region → its B."""
        return {region: plane.source for region, plane in self.planes.items()}

    @property
    def measured_in(self) -> tuple[str, ...]:
        """All regions C and D."""
        pairs = [(plane.numerator, plane.denominator) for plane in self.planes.values()]
        return tuple(dict.fromkeys(name for pair in pairs for name in pair))

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
        return {"regions": {region: factor.to_dict() for region, factor in found.items()}}

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
