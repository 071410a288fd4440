"""What a source of systematic uncertainty is to the rest of the project.

A kind is a class in a file of this folder: its keys, its checks, and what it does to events,
templates and yields. Everything that it does not do is left as it is here, so that a new kind
overrides what it needs. No other module knows a kind by name.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from numpy.typing import NDArray
from pydantic import Field

from taipan.config.base import Name, Strict
from taipan.labels import Sides
from taipan.suggestions import unknown

if TYPE_CHECKING:
    from taipan.analysis import Analysis, Columns
    from taipan.config.model import Config
    from taipan.datasets import Catalogue

Array = NDArray[Any]
Smoothing = Literal["none", "lowess", "353QH"]


class Correction(Protocol):
    """What gives a weight of the section `weights`."""

    def evaluate(self, quantities: Mapping[str, Array]) -> Array:
        """Weight of each event, shape (n,)."""


@dataclass(frozen=True)
class Target:
    """What a systematic is checked against.

    Attributes
    ----------
    config, catalogue, analysis
        What the configuration names.
    check_control_region
        Gives a line if a region (key path, name) does not exist or may hold signal.
    check_condition
        Gives a line a problem of a condition on events (key path, text).
    """

    config: Config
    catalogue: Catalogue
    analysis: Analysis
    check_control_region: Callable[[str, str], Iterator[str]]
    check_condition: Callable[[str, str], Iterator[str]]


@dataclass(frozen=True)
class WeighedEvents:
    """Weights of the events of a dataset, for a change of them.

    Attributes
    ----------
    dataset
        Its name.
    nominal
        Shape (n,); None for collision data, whose weights are 1.
    alternatives
        Name of a weight → weights when it is varied, shape (n,).
    quantities
        Quantity → value of each event, shape (n,).
    vary
        ``(correction, pull) -> weights``, with one correction of the nominal at `pull` σ.
    """

    dataset: str
    nominal: Array | None
    alternatives: Mapping[str, Array]
    quantities: Mapping[str, Array]
    vary: Callable[[str, float], Array] | None = None


@dataclass(frozen=True)
class Factors:
    """Factors of the bins of an observable at +1σ, measured in filled histograms.

    Attributes
    ----------
    curve
        Factor of each bin, shape (n,).
    record
        How it was measured, for a reader of the results.
    """

    curve: Sequence[float]
    record: Mapping[str, Any]


class Systematic(Strict, ABC):
    """One source of systematic uncertainty, correlated over samples and regions by its name."""

    kind: str
    group: Literal["experimental", "theory", "normalisation"] = Field(
        "experimental", description="Group in the uncertainty breakdown."
    )
    samples: list[str] = Field(min_length=1, description="Samples it acts on.")
    regions: list[str] | None = Field(None, description="Regions it acts on; all if absent.")
    prune: bool = Field(
        True, description="Leave parts below `templates.prune_rate` and `.prune_shape` out."
    )
    decorrelate: list[Literal["sample", "region", "shape"]] = Field(
        default_factory=list,
        description="What gets parameters of its own: each sample, each region, or shape and rate.",
    )
    eras: Literal["correlated", "uncorrelated"] | dict[str, Name] = Field(
        "correlated",
        description="Of several data-taking periods: one parameter for all, one for each, or era → "
        "name of its parameter; eras with the same name share it.",
    )
    source: str = Field("", description="Where the size comes from.")

    directions: ClassVar[tuple[str, ...]] = ("up",)
    """Templates that it has, `up` and `down`; the first alone is mirrored; none for a yield."""
    fills_events: ClassVar[bool] = True
    """Whether its templates are filled with events; False: made of filled histograms."""
    has_members: ClassVar[bool] = False
    """Whether its templates are made of those of several weights of an event."""
    moves_events: ClassVar[bool] = False
    """Whether events move between bins and across cuts."""
    acts_on_events: ClassVar[bool] = False
    """Whether single events can be varied by any number of standard deviations (pseudo-data)."""
    acts_on_bins: ClassVar[bool] = False
    """Whether the yields of bins are varied in place of events, by the templates (pseudo-data)."""
    made_of_correction: ClassVar[bool] = False
    """Whether the section `corrections` makes it, so that nobody writes it."""

    @property
    def varied(self) -> tuple[str, ...]:
        """Directions of this one; see `directions`."""
        return self.directions

    @property
    def has_templates(self) -> bool:
        """Whether it has templates of its own."""
        return bool(self.varied)

    @property
    def smoothing(self) -> Smoothing:
        """How the ratio of its templates to the nominal ones is smoothed."""
        return "none"

    @property
    def two_sides(self) -> Sides:
        """What is made of templates that are filled up and down."""
        return "both"

    @property
    def alternatives(self) -> Sequence[str]:
        """Datasets that are filled in place of those of the samples."""
        return ()

    def replacements(self, sign: float) -> Sequence[str]:
        """Those of `alternatives` that are filled at +1σ (`sign` 1) or −1σ (-1)."""
        return self.alternatives

    @property
    def weight_name(self) -> str | None:
        """Name of the weight that it varies."""
        return None

    @property
    def corrects(self) -> str | None:
        """Name of the correction of the nominal weights whose uncertainty it is."""
        return None

    @property
    def selects_events(self) -> bool:
        """Whether it changes the yield of some events, which their quantities select."""
        return False

    @property
    def measured_in(self) -> str | None:
        """Control region in which it is measured, of one that is made of histograms."""
        return None

    def check(self, path: str, target: Target) -> Iterator[str]:
        """Yield one line a problem of the keys of the kind."""
        yield from ()

    def may_vary_estimate(self, config: Config) -> bool:
        """Tell whether it may list a sample that is estimated from data."""
        return False

    def shift_columns(self, columns: Columns, analysis: Analysis, pull: float) -> Columns | None:
        """Give the events with their objects shifted by `pull` σ; None if nothing is shifted."""
        return None

    def weigh_events(
        self,
        name: str,
        events: WeighedEvents,
        corrections: Mapping[str, Correction],
        pull: float = 1.0,
    ) -> Array | None:
        """Give the weights of events at `pull` σ, shape (n,); None if they are the nominal ones."""
        return None

    def yield_factor(self, pull: float) -> float | None:
        """Give the factor of a yield at `pull` σ; None if it is no change of yields alone."""
        return None

    def measure_factors(
        self,
        data: tuple[Array, Array],
        samples: tuple[Array, Array],
        others: tuple[Array, Array],
        edges: Array,
    ) -> Factors:
        """Measure the factors of the bins of an observable in `measured_in`.

        Parameters
        ----------
        data, samples, others
            Σw and Σw² of data, of the systematic's samples and of all others; shape (n,).
        edges
            Bin edges, shape (n + 1,).
        """
        raise NotImplementedError(f"kind {self.kind} is not measured in histograms")


class Smoothed(Systematic, ABC):
    """A systematic whose templates have the noise of their events."""

    smooth: Smoothing = Field(
        "none",
        description="Smooth the ratio of varied to nominal templates: local straight lines "
        "(`lowess`) or running medians and means (`353QH`).",
    )

    @property
    def smoothing(self) -> Smoothing:
        """The key `smooth`."""
        return self.smooth


def check_names(path: str, what: str, names: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    """Yield a line for each name of a list that is not known, or that stands there before."""
    for i, name in enumerate(names):
        where = f"{path}[{i}]"
        if name not in known:
            yield unknown(where, name, what, known)
        elif name in names[:i]:
            yield f"{where}: '{name}' is a duplicate of {path}[{names.index(name)}]"
