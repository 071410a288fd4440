"""Keys of selections of events: `regions`, `transfer_factor`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from taipan.config.base import Name, Strict


class Region(Strict):
    """A selection of events."""

    cut: str = Field(description="Boolean expression of event quantities.")
    label: str = Field("", description="Text on plots.")
    role: Literal["signal", "control", "estimate"] = Field(
        "estimate",
        description="`signal` and `control` regions are fitted (they must be disjoint); "
        "`estimate` regions feed data-driven estimates.",
    )
    same_sign: Name | None = Field(
        None, description="Region with the same cuts and equal charges (QCD estimate)."
    )


class TransferFactor(Strict):
    """Measured opposite-sign/same-sign factor of the QCD estimate."""

    numerator: Name = Field(description="Region of opposite sign in which it is measured.")
    denominator: Name = Field(description="Region of same sign in which it is measured.")
