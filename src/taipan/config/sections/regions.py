"""Keys of selections of events: `regions`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from taipan.config.base import Bounded, Name, Strict

EXPECTED_DATA = 10.0
"""Expected events from which on a region without data is a mistake: by chance it is in 1/20,000."""
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

    binning: list[Bounded] | dict[Name, list[Bounded]] | None = Field(
        None,
        description="Bin edges in this region, in place of those of its `observable`; without one, "
        "of each observable by name (`{nn_score: [0, 0.5, 1]}`). They are not optimised.",
    )
    optimise_binning: bool = Field(
        True,
        description="Choose the edges of this region where `templates.binning.method` says how "
        "(role signal, no `binning`).",
    )

    shapes_from: list[Name] = Field(
        default_factory=list,
        description="Looser regions that share no event with this one. The shape of a shift of a "
        "simulated sample comes from all of them together where they agree (p ≥ 0.05), its "
        "yield from this one. Give them the role `estimate`.",
    )

    split: dict[Name, list[Bounded]] | None = Field(
        None,
        description="Divide the region into ranges of quantities, with these edges between them; "
        "the ranges at the ends are open. Each part is a region, and so is each part of the "
        "source of an estimate: `{mass: [60, 80]}` makes three. The whole is not fitted.",
    )

    @property
    def is_fitted(self) -> bool:
        """Whether its events belong to the model of the fit, unless `fit.leave_out` lists it."""
        return self.role != "estimate"

    @property
    def has_chosen_edges(self) -> bool:
        """Whether its edges are to be optimised, where any are."""
        free = self.binning is None and not self.is_single_bin
        return self.role == "signal" and self.optimise_binning and free

    def edges_of(self, observable: str) -> list[float] | None:
        """Give the edges of an observable that hold here alone; None if there are none."""
        if isinstance(self.binning, dict):
            return self.binning.get(observable)
        return self.binning if observable == self.observable else None

    @property
    def is_single_bin(self) -> bool:
        """Whether all events of the region are fitted in one bin."""
        return self.observable == YIELD or (self.observable is None and self.role == "control")

    def choose_observable(self, main: str) -> str:
        """Give the observable whose histogram is fitted here; `main` is that of the fit.

        The events of a single bin are those of any histogram: then it is `main`.
        """
        return main if self.observable is None or self.is_single_bin else self.observable
