"""What a background that is estimated from data is to the rest of the project.

In a region, the events of another one stand for the sample: data minus simulation of the *source*
region, each event times a *factor* that was measured in further regions. A method says which
regions these are, how the factor is measured, and what the parameters of its uncertainty are
called. All else (training, templates, the model of the fit, pseudo-data, figures) asks it, and
knows no method by name.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from taipan.columns.expressions import certainly_shared, parse_expression
from taipan.config.base import Strict
from taipan.errors import TaipanError
from taipan.suggestions import unknown

if TYPE_CHECKING:
    from taipan.config.model import Config
    from taipan.config.sections.regions import Region

Array = NDArray[Any]
FREE_YIELD = "free_yield_"
"""Beginning of the names of parameters of free yields."""


def name_division(region: str, number: int) -> str:
    """Name a part of a region among those that are filled; no region can be called that."""
    return f"{region}[{number}]"


def is_divided(name: str) -> bool:
    """Tell whether what is filled is a part of a region."""
    return name.endswith("]")


def name_yield(region: str) -> str:
    """Name the parameter of the free yields of a sample in a region that counts it."""
    return f"{FREE_YIELD}{region}"


@dataclass(frozen=True)
class FactorChange:
    """What +1σ and −1σ of a parameter of the fit multiply in a part of an estimate.

    Attributes
    ----------
    data, simulated
        Factors (up, down) of the data and of the simulation that is subtracted from them.
    size
        Relative size, for a reader.
    """

    data: tuple[float, float]
    simulated: tuple[float, float]
    size: float

    @classmethod
    def of_size(cls, size: float) -> FactorChange:
        """Give the change of a factor by a relative `size`: data and simulation alike."""
        return cls((1 + size, 1 - size), (1 + size, 1 - size), size)


@dataclass(frozen=True)
class EstimatePart:
    """Data minus simulation of one place, times one factor.

    Attributes
    ----------
    place
        Region that is filled, or a part of one.
    factor
        What its events are multiplied by.
    changes
        Parameter of the fit → what it does.
    """

    place: str
    factor: float
    changes: Mapping[str, FactorChange]


@dataclass(frozen=True)
class CountedPlane:
    """Regions that are fitted together with the one in which a sample is estimated.

    Bin by bin, as many events of the sample as are free in `source` are expected in the region,
    times a free ratio; the ratio is that of `numerator` to `denominator`.

    Attributes
    ----------
    source, numerator, denominator
        Regions whose counts enter the fit: binned as the region, and in a single bin.
    ratio
        Parameter of the fit: the ratio over the measured one.
    """

    source: str
    numerator: str
    denominator: str
    ratio: str


class Estimate(Strict, ABC):
    """A method, with its keys of ``samples.NAME.estimate``.

    A method is a subclass in a file of this folder whose field `method` is a literal, its name.

    Attributes
    ----------
    places
        Key with the regions in which the sample is estimated.
    ending
        Ending of the names of the simulation that is subtracted, in the model of the fit.
    title
        What the factor is called in the summary.
    truth
        Key of a simulation's record of its truth with the true factor; empty if there is none.
    """

    method: str
    ending: ClassVar[str]
    places: ClassVar[str] = "regions"
    title: ClassVar[str]
    truth: ClassVar[str] = ""

    @property
    @abstractmethod
    def sources(self) -> Mapping[str, str]:
        """Region → region whose events, data minus simulation, stand for the sample there."""

    @property
    @abstractmethod
    def measured_in(self) -> tuple[str, ...]:
        """Regions in which data minus simulation is measured for the factor, each once."""

    @abstractmethod
    def measure(
        self,
        yields: Mapping[str, tuple[float, float]],
        simulated: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """Measure the factor.

        Parameters
        ----------
        yields
            Region of `measured_in` → data minus simulation, and its variance.
        simulated
            Region → the simulation that is subtracted.

        Returns
        -------
        dict
            Record that JSON can hold; the other methods are given it.

        Raises
        ------
        TaipanError
            If a yield is not positive; names the region.
        """

    @abstractmethod
    def factor(self, record: Mapping[str, Any], region: str) -> float:
        """Give what the events of a region's source are multiplied by, on average."""

    @abstractmethod
    def relative_uncertainty(self, record: Mapping[str, Any], region: str) -> float:
        """Give the relative uncertainty of the factor of a region."""

    @abstractmethod
    def parameter(self, region: str) -> str:
        """Name the parameter of the fit that stands for the uncertainty of a region's factor."""

    def weigh(
        self, record: Mapping[str, Any], region: str, quantities: Mapping[str, Array]
    ) -> Array:
        """Give the factor of each event of a region's source, shape ``(n,)``.

        A factor that depends on the event overrides this; its average belongs to `factor`.
        """
        return np.full(len(quantities["passes"]), self.factor(record, region))

    def filled_in(self, region: str) -> tuple[str, ...]:
        """Name what is filled to estimate the sample in a region: its source, or parts of it."""
        return (self.sources[region],)

    def divide(self, regions: Mapping[str, Region]) -> dict[str, Region]:
        """Give the parts of regions that are filled besides, each with its cut; by default none."""
        return {}

    def parts(self, record: Mapping[str, Any], region: str) -> tuple[EstimatePart, ...]:
        """Give what is added up in a region; by default its source with one factor."""
        size = self.relative_uncertainty(record, region)
        changes = {self.parameter(region): FactorChange.of_size(size)}
        return (EstimatePart(self.sources[region], self.factor(record, region), changes),)

    @property
    def counted(self) -> Mapping[str, CountedPlane]:
        """Region → what is fitted together with it; none by default."""
        return {}

    @property
    def independent(self) -> list[tuple[str, str]]:
        """Pairs of its regions that may share no event, so that their numbers are independent."""
        pairs = itertools.combinations(self.measured_in, 2)
        return [*pairs, *itertools.product(dict.fromkeys(self.sources.values()), self.measured_in)]

    @property
    def quantities(self) -> Mapping[str, str]:
        """Key, from the keys of the method → quantity that it needs of every event."""
        return {}

    @property
    def parameters(self) -> tuple[str, ...]:
        """All parameters of the fit that the method adds, each once."""
        return tuple(dict.fromkeys(self.parameter(region) for region in self.sources))

    def check(self, path: str, config: Config) -> Iterator[str]:
        """Yield one line a problem of the keys.

        Parameters
        ----------
        path
            Of the keys, ``samples.NAME.estimate``.
        config
            Validated configuration.
        """
        yield from self.check_sources(path, config)
        for region in self.measured_in:
            if region not in config.regions:
                yield unknown(path, region, "region", config.regions)

    def check_sources(self, path: str, config: Config) -> Iterator[str]:
        """Yield problems of `sources`: each exists, is disjoint, and no fitted region lacks one."""
        regions = config.regions
        for region, source in self.sources.items():
            where = f"{path}.{self.places}.{region}"
            if region not in regions:
                yield unknown(where, region, "region", regions)
            elif source not in regions:
                yield unknown(where, source, "region", regions)
            elif _shared(regions[region].cut, regions[source].cut):
                yield (
                    f"{where}: '{source}' is not shown to be disjoint from '{region}'; their cuts "
                    "must confine one term (such as q_1 * q_2) to ranges without overlap"
                )
        needed = [name for name, region in regions.items() if region.role != "estimate"]
        if config.features and config.training.region in regions:
            needed.append(config.training.region)
        for name in dict.fromkeys(needed):
            if name not in self.sources:
                yield (
                    f"{path}.{self.places}.{name}: missing; the estimate needs the source of every "
                    f"fitted or trained region ({', '.join(regions)})"
                )


def _shared(first: str, second: str) -> bool:
    try:
        return certainly_shared(parse_expression(first), parse_expression(second))
    except TaipanError:
        return False  # reported where the expression stands
