"""Keys of what becomes of histograms: `templates`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from taipan.config.base import NonNegative, Positive, Strict


class Binning(Strict):
    """Optimised bin edges of the observables in the signal regions."""

    method: Literal["none", "quantile", "merge", "gradient", "dynamic"] = Field(
        "none",
        description="`none`: the edges of `observables`; `quantile`: bins of equal signal; "
        "`merge`: fine bins joined greedily; `gradient`: edges moved along the gradient of the "
        "expected σ(μ); `dynamic`: the best edges of all, by dynamic programming, with a bound.",
    )
    bins: Annotated[int, Field(ge=1, le=100)] = Field(15, description="Largest number of bins.")
    fine_bins: Annotated[int, Field(ge=2, le=2000)] = Field(
        200, description="Bins of equal width between which edges are chosen."
    )
    min_background: Positive = Field(
        10.0, description="Smallest expected background of a bin, in events."
    )
    max_relative_error: Positive = Field(
        0.2, description="Largest relative statistical error of a bin's background."
    )
    max_loss: NonNegative = Field(
        0.002,
        description="`merge` and `dynamic`: bins are joined while σ(μ) grows relatively by less.",
    )
    fold: Annotated[int, Field(ge=0)] | None = Field(
        0,
        description="Fold of simulated and same-sign events that the edges are chosen with; the "
        "templates are filled without it. null, for `quantile` alone: all events do both.",
    )


class Templates(Strict):
    """How histograms become templates."""

    min_effective_events: NonNegative = Field(
        10.0,
        description="Neighbouring bins are merged until the summed background has at least this "
        "n_eff = (Σw)²/Σw² and is positive.",
    )
    negative_bins: Literal["merge", "repair"] = Field(
        "repair",
        description="Bins in which a sample is negative: `repair` them: set to zero, the "
        "sample's other bins scaled to the same total; or `merge` them with a neighbour. "
        "Variations are always repaired.",
    )
    prune_rate: NonNegative = Field(
        0.0,
        description="A systematic's change of a sample's yield in a region is left out of the fit "
        "if it is relatively smaller.",
    )
    prune_shape: NonNegative = Field(
        0.0,
        description="A systematic's change of a sample's shape in a region is left out of the fit "
        "if no bin changes relatively by as much.",
    )
    binning: Binning = Field(default_factory=Binning, description="Optimised bin edges.")
    plot: Literal["surviving", "all"] = Field(
        "surviving",
        description="Up/down plots: of systematics that are in the fit, or of all with templates.",
    )
