"""Keys of selections of events: `regions`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from taipan.config.base import Name, Strict

YIELD = "yield"
"""In the place of an observable: all events of the region in a single bin."""


class Region(Strict):
    """A selection of events."""

    cut: str = Field(
        description="Boolean expression of event quantities; with `classes` also of "
        '`nn_class == "CLASS"`, the class of the largest score, and `nn_score_CLASS`.'
    )
    label: str = Field("", description="Text on plots.")
    role: Literal["signal", "control", "estimate"] = Field(
        "estimate",
        description="`signal` and `control` regions are fitted (they must be disjoint); "
        "`estimate` regions feed estimates from data.",
    )
    observable: Name | None = Field(
        None,
        description="What is fitted in this region: one of `observables`, or `yield` for a single "
        "bin. If absent `fit.observable` (in the reference fit `fit.reference`) in regions with "
        "role signal, `yield` in those with role control.",
    )

    @property
    def is_single_bin(self) -> bool:
        """Whether all events of the region are fitted in one bin."""
        return self.observable == YIELD or (self.observable is None and self.role == "control")

    def choose_observable(self, main: str) -> str:
        """Give the observable whose histogram is fitted here; `main` is that of the fit.

        The events of a single bin are those of any histogram: then it is `main`.
        """
        return main if self.observable is None or self.is_single_bin else self.observable
