"""A yield that is known from counted events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from taipan.systematics.base import Systematic

if TYPE_CHECKING:
    from taipan.config.model import Config


class Counts(Systematic):
    """The yield of samples is measured with so many events, such as those of a control sample."""

    kind: Literal["counts"] = Field(description="A normalisation known from counted events.")
    events: Annotated[float, Field(gt=1.0)] = Field(
        description="Number of events; ±1σ is a factor of 1 + 1/√events."
    )

    directions: ClassVar[tuple[str, ...]] = ()
    acts_on_events: ClassVar[bool] = True

    def may_vary_estimate(self, config: Config) -> bool:
        """Say yes: an estimated yield is as uncertain as a simulated one."""
        return True

    def yield_factor(self, pull: float) -> float:
        """Factor of a yield, (1 + 1/√events)^pull: it stays positive, as a yield does."""
        return math.pow(1.0 + 1.0 / math.sqrt(self.events), pull)
