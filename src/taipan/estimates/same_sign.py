"""Same-sign estimate: data minus simulation with equal charges, times the opposite-sign ratio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from taipan.config.base import Name
from taipan.estimates.base import Estimate
from taipan.estimates.ratio import measure_transfer_factor
from taipan.suggestions import unknown

if TYPE_CHECKING:
    from taipan.config.model import Config


class SameSign(Estimate):
    """Data minus simulation of equal charges, times one factor of opposite over equal charges.

    Multijets have opposite and equal charges nearly as often, with the same shapes. The factor is
    measured where they dominate, such as with leptons that are not isolated.
    """

    method: Literal["same_sign"] = Field(
        description="data minus simulation in the regions of equal charges, times the ratio of "
        "opposite to equal charges."
    )
    regions: dict[Name, Name] = Field(
        min_length=1, description="Region → region with the same cuts and equal charges."
    )
    numerator: Name = Field(description="Region of opposite sign in which the factor is measured.")
    denominator: Name = Field(description="Region of same sign in which the factor is measured.")

    ending: ClassVar[str] = "_same_sign"
    title: ClassVar[str] = "QCD OS/SS factor"
    truth: ClassVar[str] = "qcd_os_ss_factor"

    @property
    def sources(self) -> Mapping[str, str]:
        """Region → the same with equal charges."""
        return self.regions

    @property
    def measured_in(self) -> tuple[str, ...]:
        """The regions of the ratio."""
        return (self.numerator, self.denominator)

    def measure(
        self,
        yields: Mapping[str, tuple[float, float]],
        simulated: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """Divide the yields of opposite and of equal charges."""
        above, below = yields[self.numerator], yields[self.denominator]
        return measure_transfer_factor(above, below, (self.numerator, self.denominator)).to_dict()

    def factor(self, record: Mapping[str, Any], region: str) -> float:
        """Give the ratio, which is the same everywhere."""
        return float(record["value"])

    def relative_uncertainty(self, record: Mapping[str, Any], region: str) -> float:
        """Give that of the ratio."""
        return float(record["relative_uncertainty"])

    def parameter(self, region: str) -> str:
        """Name the one parameter of the ratio."""
        return "qcd_os_ss"

    def check(self, path: str, config: Config) -> Iterator[str]:
        """Yield one line a problem of the keys."""
        yield from self.check_sources(path, config)
        for key in ("numerator", "denominator"):
            region = getattr(self, key)
            if region not in config.regions:
                yield unknown(f"{path}.{key}", region, "region", config.regions)
        if self.numerator == self.denominator:
            yield f"{path}.denominator: '{self.denominator}' is also the numerator"
