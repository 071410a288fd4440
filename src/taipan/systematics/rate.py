"""A change of yields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from taipan.columns.expressions import parse_expression
from taipan.systematics.base import Correction, Systematic, Target, WeighedEvents

if TYPE_CHECKING:
    from taipan.config.model import Config

Array = NDArray[Any]


class Rate(Systematic):
    """A change of the yield of samples, the same in every bin; or of a part of their events."""

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

    select: str | None = Field(
        None,
        description="Events of the samples whose yield it changes, such as those with a genuine "
        "tau: their share differs between bins, so it has templates. All events if absent.",
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

    @property
    def varied(self) -> tuple[str, ...]:
        """None of all events; both directions, or one to mirror, of those that are selected."""
        if self.select is None:
            return ()
        return ("up",) if self.size is not None else ("up", "down")

    @property
    def selects_events(self) -> bool:
        """Whether `select` is given."""
        return self.select is not None

    def check(self, path: str, target: Target) -> Iterator[str]:
        """Refuse a rate that changes nothing, and a selection that no event can be asked for."""
        if self.up == 0.0 and self.down == 0.0:
            yield f"{path}: up and down are 0; the systematic changes nothing"
        if self.select is None:
            return
        yield from target.check_condition(f"{path}.select", self.select)
        samples = target.config.samples
        for name in self.samples:
            if name in samples and not samples[name].is_simulated:
                yield (
                    f"{path}.select: '{name}' is estimated from data, which have no events to "
                    "select (leave the sample out, or `select`)"
                )

    def may_vary_estimate(self, config: Config) -> bool:
        """Say yes: an estimated yield is as uncertain as a simulated one."""
        return True

    def yield_factor(self, pull: float) -> float | None:
        """Factor of a yield, κ^pull as the fit has it far out; None with `select`.

        Inside ±1 the fit interpolates with a polynomial that differs from the exponential for
        asymmetric rates by less than 10⁻³ of the yield.
        """
        return None if self.select is not None else self._factor(pull)

    def weigh_events(
        self,
        name: str,
        events: WeighedEvents,
        corrections: Mapping[str, Correction],
        pull: float = 1.0,
    ) -> Array | None:
        """Change the weights of the selected events, shape (n,); None without `select`."""
        if self.select is None or events.nominal is None:
            return None
        chosen = parse_expression(self.select).evaluate(events.quantities).astype(bool)
        changed: Array = np.where(chosen, events.nominal * self._factor(pull), events.nominal)
        return changed

    def _factor(self, pull: float) -> float:
        up, down = (1.0 + change for change in self._changes())
        return float(up**pull if pull >= 0.0 else down ** (-pull))

    def _changes(self) -> tuple[float, float]:
        if self.up is not None and self.down is not None:
            return self.up, self.down
        size = self.size or 0.0
        return size, -size
