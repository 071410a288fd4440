"""Fake factors: anti-isolated events, each times a ratio that depends on its quantities."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from taipan.config.base import Bounded, Name
from taipan.config.sections.regions import Region
from taipan.errors import TaipanError
from taipan.estimates.base import Estimate, EstimatePart, FactorChange, name_division
from taipan.suggestions import unknown

if TYPE_CHECKING:
    from taipan.config.model import Config

Array = NDArray[Any]
_Size = Annotated[float, Field(ge=0.0, lt=1.0)]


class FakeFactor(Estimate):
    """Data minus simulation of the application region, event by event times a fake factor.

    The factor of a bin is the ratio of data minus simulation in the determination region that
    passes to the one that fails, as in JHEP 04 (2019) 112 for misidentified taus.
    """

    method: Literal["fake_factor"] = Field(
        description="data minus simulation of the application region, each event times the ratio "
        "of passing to failing ones in its bin of some quantities."
    )
    regions: dict[Name, Name] = Field(
        min_length=1, description="Region → application region: the same cuts, but anti-isolated."
    )
    numerator: Name = Field(description="Determination region whose events pass.")
    denominator: Name = Field(description="Determination region whose events fail.")
    binning: dict[Name, list[Bounded]] = Field(
        min_length=1,
        max_length=2,
        description="Bins of the factor: one or two quantities with their edges. Events beyond the "
        "edges belong to the edge bins.",
    )
    subtraction: _Size = Field(
        0.0,
        description="Relative uncertainty of the simulation that is subtracted, in the "
        "determination and in the application regions.",
    )
    non_closure: _Size = Field(
        0.0, description="Relative uncertainty of the estimate for what the method misses."
    )

    ending: ClassVar[str] = "_anti_isolated"
    title: ClassVar[str] = "Fake factor"

    @property
    def sources(self) -> Mapping[str, str]:
        """Region → its application region."""
        return self.regions

    @property
    def quantities(self) -> Mapping[str, str]:
        """The quantities of the bins."""
        return {f"binning.{name}": name for name in self.binning}

    @property
    def bins(self) -> list[tuple[tuple[float, float], ...]]:
        """Ranges of each bin in the quantities; the last quantity changes fastest."""
        ranges = [list(itertools.pairwise(edges)) for edges in self.binning.values()]
        return list(itertools.product(*ranges))

    @property
    def measured_in(self) -> tuple[str, ...]:
        """Each bin of the two determination regions."""
        regions = (self.numerator, self.denominator)
        return tuple(name_division(r, i) for r in regions for i in range(len(self.bins)))

    @property
    def independent(self) -> list[tuple[str, str]]:
        """The determination regions, and each of them with the application regions."""
        regions = (self.numerator, self.denominator)
        return [regions, *itertools.product(dict.fromkeys(self.regions.values()), regions)]

    def filled_in(self, region: str) -> tuple[str, ...]:
        """Name the bins of the application region."""
        return tuple(name_division(self.regions[region], i) for i in range(len(self.bins)))

    def divide(self, regions: Mapping[str, Region]) -> dict[str, Region]:
        """Give the bins of the application and determination regions."""
        names = dict.fromkeys([*self.regions.values(), self.numerator, self.denominator])
        return {
            name_division(name, i): Region(cut=f"({regions[name].cut}) and {self._cut(i)}")
            for name in names
            if name in regions
            for i in range(len(self.bins))
        }

    def _cut(self, number: int) -> str:
        """Give the cut of a bin; the first and the last of a quantity have no outer edge."""
        terms = []
        for (name, edges), (low, high) in zip(self.binning.items(), self.bins[number], strict=True):
            if low > edges[0]:
                terms.append(f"{name} >= {low!r}")
            if high < edges[-1]:
                terms.append(f"{name} < {high!r}")
        return " and ".join(terms) or f"{next(iter(self.binning))} < {1e300!r}"

    def describe(self, number: int) -> str:
        """Describe a bin: `pt_2 20 to 30, njets -0.5 to 0.5`."""
        ranges = zip(self.binning, self.bins[number], strict=True)
        return ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in ranges)

    def measure(
        self,
        yields: Mapping[str, tuple[float, float]],
        simulated: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """Divide the yields of passing and failing events in each bin.

        Raises
        ------
        TaipanError
            If data minus simulation are not positive in a bin, nominal or with the simulation
            varied by `subtraction`; one line a bin.
        """
        found = [self._measure_bin(i, yields, simulated or {}) for i in range(len(self.bins))]
        problems = [item for item in found if isinstance(item, str)]
        if problems:
            raise TaipanError("\n".join(problems))
        bins = [item for item in found if not isinstance(item, str)]
        weights = [item["denominator"][0] for item in bins]
        return {
            "bins": bins,
            "value": float(np.average([item["value"] for item in bins], weights=weights)),
        }

    def _measure_bin(
        self,
        number: int,
        yields: Mapping[str, tuple[float, float]],
        simulated: Mapping[str, float],
    ) -> dict[str, Any] | str:
        names = [name_division(r, number) for r in (self.numerator, self.denominator)]
        for region, name in zip((self.numerator, self.denominator), names, strict=True):
            smallest = yields[name][0] - self.subtraction * abs(simulated.get(name, 0.0))
            if not smallest > 0.0:
                varied = f" ({smallest:.4g} with subtraction +1σ)" if self.subtraction else ""
                return (
                    f"binning: {self.describe(number)}: data minus simulation is "
                    f"{yields[name][0]:.4g} in region '{region}'{varied}; it must be positive "
                    "(join bins)"
                )
        (above, above_variance), (below, below_variance) = (yields[name] for name in names)
        value = above / below

        def shifted(sign: float) -> float:
            change = [sign * self.subtraction * simulated.get(name, 0.0) for name in names]
            return (above - change[0]) / (below - change[1]) / value

        return {
            "bin": self.describe(number),
            "value": value,
            "relative_uncertainty": float(
                np.sqrt(above_variance / above**2 + below_variance / below**2)
            ),
            "numerator": [above, float(np.sqrt(above_variance))],
            "denominator": [below, float(np.sqrt(below_variance))],
            "subtraction": [shifted(1.0), shifted(-1.0)],
        }

    def factor(self, record: Mapping[str, Any], region: str) -> float:
        """Give the average factor, each bin with the failing events of the determination."""
        return float(record["value"])

    def relative_uncertainty(self, record: Mapping[str, Any], region: str) -> float:
        """Give that of the average."""
        bins = record["bins"]
        shares = np.array([item["value"] * item["denominator"][0] for item in bins])
        sizes = np.array([item["relative_uncertainty"] for item in bins])
        return float(np.sqrt(np.sum((shares * sizes) ** 2)) / shares.sum())

    def parts(self, record: Mapping[str, Any], region: str) -> tuple[EstimatePart, ...]:
        """Give each bin of the application region with its factor and parameters."""
        places = zip(self.filled_in(region), record["bins"], strict=True)
        return tuple(
            EstimatePart(place, float(item["value"]), self._changes(i, item))
            for i, (place, item) in enumerate(places)
        )

    def _changes(self, number: int, item: Mapping[str, Any]) -> dict[str, FactorChange]:
        size = float(item["relative_uncertainty"])
        changes = {f"fake_factor_{number}": FactorChange.of_size(size)}
        if self.subtraction:
            up, down = (float(factor) for factor in item["subtraction"])
            simulated = (up * (1.0 + self.subtraction), down * (1.0 - self.subtraction))
            size = max(abs(up - 1.0), abs(down - 1.0), self.subtraction)
            changes["fake_factor_subtraction"] = FactorChange((up, down), simulated, size)
        if self.non_closure:
            changes["fake_factor_non_closure"] = FactorChange.of_size(self.non_closure)
        return changes

    def weigh(
        self, record: Mapping[str, Any], region: str, quantities: Mapping[str, Array]
    ) -> Array:
        """Give the factor of each event's bin."""
        number = np.zeros(len(quantities["passes"]), dtype=np.intp)
        for name, edges in self.binning.items():
            place = np.searchsorted(np.asarray(edges), quantities[name], side="right") - 1
            number = number * (len(edges) - 1) + np.clip(place, 0, len(edges) - 2)
        return np.array([float(item["value"]) for item in record["bins"]])[number]

    def parameter(self, region: str) -> str:
        """Name the parameter of the first bin."""
        return "fake_factor_0"

    @property
    def parameters(self) -> tuple[str, ...]:
        """One for each bin, and those of the subtraction and the non-closure."""
        names = [f"fake_factor_{i}" for i in range(len(self.bins))]
        names += ["fake_factor_subtraction"] if self.subtraction else []
        return (*names, *(["fake_factor_non_closure"] if self.non_closure else []))

    def check(self, path: str, config: Config) -> Iterator[str]:
        """Yield one line a problem of the keys that can be seen without the analysis."""
        yield from self.check_sources(path, config)
        for key in ("numerator", "denominator"):
            region = getattr(self, key)
            if region not in config.regions:
                yield unknown(f"{path}.{key}", region, "region", config.regions)
        if self.numerator == self.denominator:
            yield f"{path}.denominator: '{self.denominator}' is also the numerator"
        for name, edges in self.binning.items():
            where = f"{path}.binning.{name}"
            if len(edges) < 2:
                yield f"{where}: {len(edges)} edge(s); at least two are needed"
            for i, (low, high) in enumerate(itertools.pairwise(edges)):
                if not low < high:
                    yield f"{where}[{i + 1}]: {high:g} after {low:g}; edges must increase"
