"""A shift of objects, with migration across cuts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from taipan.labels import Sides
from taipan.suggestions import unknown
from taipan.systematics.base import Smoothed, Target

if TYPE_CHECKING:
    from taipan.analysis import Analysis, Columns


class Kinematic(Smoothed):
    """Objects are shifted; quantities, cuts and the network's score are made anew."""

    kind: Literal["kinematic"] = Field(
        description="A shift of objects with migration across cuts, such as an energy scale."
    )
    shift: str = Field(description="Shift of the analysis.")
    size: Annotated[float, Field(gt=0, lt=10)] = Field(
        description="Size of ±1σ of the shift, relative and below 1 unless the analysis says so."
    )
    symmetrize: bool | Literal["noise"] = Field(
        False,
        description="Use the nominal template ± half the difference of the up and down templates, "
        "which halves their statistical noise and removes changes common to both. `noise` removes "
        "of those common changes only what chance explains.",
    )
    one_sided: bool = Field(
        False,
        description="Make the up templates only and mirror them, for shifts that have no opposite "
        "(resolutions).",
    )

    directions: ClassVar[tuple[str, ...]] = ("up", "down")
    moves_events: ClassVar[bool] = True
    acts_on_events: ClassVar[bool] = True

    @model_validator(mode="after")
    def _one_way(self) -> Kinematic:
        if self.one_sided and self.symmetrize:
            raise ValueError("one_sided: true is for a shift without symmetrize")
        return self

    @property
    def varied(self) -> tuple[str, ...]:
        """Both directions, or the first."""
        return self.directions[:1] if self.one_sided else self.directions

    @property
    def two_sides(self) -> Sides:
        """The key `symmetrize`."""
        if self.symmetrize == "noise":
            return "denoised"
        return "averaged" if self.symmetrize else "both"

    def check(self, path: str, target: Target) -> Iterator[str]:
        """Refuse a shift that does not exist, or is larger than what the skim keeps events for."""
        shifts = target.analysis.shifts
        if self.shift not in shifts:
            yield unknown(f"{path}.shift", self.shift, "shift", shifts)
            return
        limit = shifts[self.shift].limit
        if self.size >= limit:
            yield f"{path}.size: {self.size:g} is not below {limit:g}, the limit of '{self.shift}'"
        threshold = shifts[self.shift].envelope
        envelope = target.config.skim.envelope.get(threshold) if threshold else None
        if envelope is not None and self.size > envelope:
            yield (
                f"{path}.size: {self.size:g} exceeds skim.envelope.{threshold} "
                f"({envelope:g}), the largest variation the skim keeps events for; a larger "
                "envelope re-runs the skim"
            )

    def shift_columns(self, columns: Columns, analysis: Analysis, pull: float) -> Columns:
        """Apply the shift, or that of the other direction."""
        shift = analysis.shifts[self.shift]
        return shift.function(columns, shift.size_at(pull, self.size))
