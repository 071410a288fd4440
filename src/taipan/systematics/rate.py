"""A change of yields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from taipan.systematics.base import Systematic, Target

if TYPE_CHECKING:
    from taipan.config.model import Config


class Rate(Systematic):
    """A change of the yield of samples, the same in every bin."""

    kind: Literal["rate"] = Field(description="A normalisation, such as a cross section.")
    size: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Relative size of ±1σ of the yield."
    )
    up: Annotated[float, Field(gt=-1)] | None = Field(
        None, description="Relative change at +1σ of an asymmetric rate."
    )
    down: Annotated[float, Field(gt=-1)] | None = Field(
        None, description="Relative change at -1σ of an asymmetric rate."
    )

    directions: ClassVar[tuple[str, ...]] = ()
    acts_on_events: ClassVar[bool] = True

    @model_validator(mode="after")
    def _one_size(self) -> Rate:
        given = [key for key in ("size", "up", "down") if getattr(self, key) is not None]
        if given not in (["size"], ["up", "down"]):
            raise ValueError(
                f"kind rate takes either size, or up and down; given: {', '.join(given) or 'none'}"
            )
        return self

    def check(self, path: str, target: Target) -> Iterator[str]:
        """Refuse a rate that changes nothing."""
        if self.up == 0.0 and self.down == 0.0:
            yield f"{path}: up and down are 0; the systematic changes nothing"

    def may_vary_estimate(self, config: Config) -> bool:
        """Say yes: an estimated yield is as uncertain as a simulated one."""
        return True

    def yield_factor(self, pull: float) -> float:
        """Factor of a yield, κ^pull as the fit has it far out.

        Inside ±1 the fit interpolates with a polynomial that differs from the exponential for
        asymmetric rates by less than 10⁻³ of the yield.
        """
        up, down = (1.0 + change for change in self._changes())
        return float(up**pull if pull >= 0.0 else down ** (-pull))

    def _changes(self) -> tuple[float, float]:
        if self.up is not None and self.down is not None:
            return self.up, self.down
        size = self.size or 0.0
        return size, -size
