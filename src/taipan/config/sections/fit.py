"""Keys of the statistical model: `fit`."""

from __future__ import annotations

from pydantic import Field

from taipan.config.base import Cited, Fraction, Name, Strict


class Fit(Strict):
    """The statistical model and what is computed from it."""

    unblind: bool = Field(False, description="Use the data of the signal regions.")
    poi: Name = Field("mu", description="Parameter of interest.")
    poi_range: tuple[float, float] = Field(
        (-20.0, 40.0), description="Bounds of the parameter of interest."
    )
    observable: Name = Field(
        "nn_score", description="Observable of the signal regions that name none of their own."
    )
    reference: Name | None = Field(
        None, description="Observable of the reference fit, absent for none."
    )
    cross_section: Cited | None = Field(
        None,
        description="Cross section that a signal strength of 1 stands for; the result is then "
        "given in its unit, too.",
    )
    free_normalisations: dict[Name, Name] = Field(
        default_factory=dict,
        description="Normalisation factors that float without constraint: parameter → sample.",
    )
    mc_statistics: bool = Field(True, description="One parameter per bin for Σw² (staterror).")
    confidence_level: Fraction = Field(0.95, description="Level of the upper limit.")
