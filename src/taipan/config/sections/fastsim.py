"""Keys of the embedded simulation: `fastsim`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from taipan.config.base import NonNegative, Positive, Strict


class Mismodelling(Strict):
    """A known difference between fastsim's pseudo-data and its simulation."""

    family: Literal["none", "jets", "met", "tau"] = Field(
        "none",
        description="Which inputs of the pseudo-data differ from the simulation. `jets` and `met` "
        "are visible in the W control region, `tau` (genuine tau energy) is not.",
    )
    size: Annotated[float, Field(ge=-5.0, le=5.0)] = Field(
        1.0, description="Size in units of the default distortion (truth.json has physical units)."
    )


class Fastsim(Strict):
    """The embedded parametric simulation (used when `catalogue` is of kind `fastsim`)."""

    luminosity: Positive = Field(
        2.0, description="Luminosity of the pseudo-data in fb⁻¹ (CMS 2012 B+C: 11.467)."
    )
    mu: NonNegative = Field(1.0, description="Signal strength injected into the pseudo-data.")
    mismodelling: Mismodelling = Field(
        default_factory=Mismodelling, description="Known data/simulation difference."
    )
    negative_fraction: Annotated[float, Field(ge=0.0, lt=0.5)] = Field(
        0.2, description="Fraction of events with genWeight = -1 in the NLO-like sample."
    )
    events: dict[str, Annotated[int, Field(gt=0)]] = Field(
        default_factory=dict,
        description="Events to simulate per dataset, where it differs from the catalogue's "
        "`generated_events`.",
    )
