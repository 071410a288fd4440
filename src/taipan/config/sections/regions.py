"""Keys of selections of events: `regions`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from taipan.config.base import Strict


class Region(Strict):
    """A selection of events."""

    cut: str = Field(description="Boolean expression of event quantities.")
    label: str = Field("", description="Text on plots.")
    role: Literal["signal", "control", "estimate"] = Field(
        "estimate",
        description="`signal` and `control` regions are fitted (they must be disjoint); "
        "`estimate` regions feed estimates from data.",
    )
