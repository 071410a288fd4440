"""A change of event weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from numpy.typing import NDArray
from pydantic import Field

from taipan.errors import TaipanError
from taipan.suggestions import unknown
from taipan.systematics.base import Correction, Smoothed, Target, WeighedEvents

if TYPE_CHECKING:
    from taipan.config.model import Config

Array = NDArray[Any]

BUILT_IN = ("pileup",)
"""Weights that may be varied besides those of the section `weights`."""


class WeightChange(Smoothed):
    """Another weight of each event; the change is mirrored."""

    kind: Literal["weight"] = Field(description="A change of event weights.")
    weight: str = Field(
        description="Weight: `pileup`, varied as `pileup.uncertainty` says, or one of the "
        "section `weights`, applied against not applied."
    )

    acts_on_events: ClassVar[bool] = True

    @property
    def weight_name(self) -> str:
        """The key `weight`."""
        return self.weight

    def check(self, path: str, target: Target) -> Iterator[str]:
        """Refuse a weight that does not exist, and one of estimated and other samples together."""
        config = target.config
        estimated = [name for name, item in config.samples.items() if not item.is_simulated]
        if set(estimated) & set(self.samples) and len(self.samples) > 1:
            yield (
                f"{path}.samples: {', '.join(self.samples)}: '{estimated[0]}' is estimated from "
                "data; a weight of the events it is made of has no other sample"
            )
        known = [*BUILT_IN, *config.weights]
        if self.weight not in known:
            yield unknown(f"{path}.weight", self.weight, "weight", known)
        elif self.weight in BUILT_IN and not config.pileup.enabled:
            yield f"{path}.weight: '{self.weight}' needs pileup.enabled: true"

    def may_vary_estimate(self, config: Config) -> bool:
        """Say yes for a weight of the events that an estimate is made of."""
        return self.weight in config.weights

    def weigh_events(
        self,
        name: str,
        events: WeighedEvents,
        corrections: Mapping[str, Correction],
        pull: float = 1.0,
    ) -> Array:
        """Multiply the nominal weights by a correction, or take the alternative ones.

        Raises
        ------
        TaipanError
            If the events have no such weight.
        """
        if self.weight in corrections:
            factor = corrections[self.weight].evaluate(events.quantities)
            return factor if events.nominal is None else events.nominal * factor
        if self.weight not in events.alternatives:
            raise TaipanError(
                f"{name}: weight '{self.weight}' is not applied to '{events.dataset}'"
            )
        return events.alternatives[self.weight]
