"""Keys of what is stacked and fitted: `samples`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from taipan.config.base import Name, Strict
from taipan.estimates.registry import AnyEstimate


class Sample(Strict):
    """A physics process: what is stacked in a plot and fitted."""

    label: str = Field("", description="Name on plots (LaTeX allowed); the sample's if empty.")
    colour: str = Field("#bdbdbd", pattern=r"^#[0-9a-fA-F]{6}$", description="Colour on plots.")
    role: Literal["signal", "background"] = Field("background", description="Class it belongs to.")
    datasets: list[str] = Field(
        default_factory=list, description="Simulated datasets of the catalogue that make it up."
    )
    select: str | None = Field(
        None, description="Cut that picks this sample's events out of its datasets."
    )
    estimate: AnyEstimate | None = Field(
        None,
        description="How it is estimated from data; a sample without it is simulated.",
    )
    cross_checks: dict[Name, AnyEstimate] = Field(
        default_factory=dict,
        description="Other estimates of the sample, by name: evaluated beside the one that is used "
        "and compared with it in the summary; not in the fit.",
    )
    regions: list[Name] | None = Field(
        None,
        min_length=1,
        description="Fitted regions whose model the sample belongs to; all if absent. It is left "
        "out of the others, of the training too; estimates subtract it everywhere.",
    )

    @model_validator(mode="after")
    def _datasets_match_estimate(self) -> Sample:
        if self.is_simulated and not self.datasets:
            raise ValueError("a simulated sample needs at least one entry in `datasets`")
        if not self.is_simulated and self.datasets:
            raise ValueError("a sample estimated from data takes no `datasets`")
        if self.is_simulated and self.cross_checks:
            raise ValueError("`cross_checks` are other estimates of a sample with `estimate`")
        if not self.is_simulated and self.regions is not None:
            raise ValueError(
                "a sample estimated from data takes no `regions`: it is all that is left"
            )
        return self

    @property
    def is_simulated(self) -> bool:
        """Tell whether its events are simulated: it is not estimated from data."""
        return self.estimate is None
