"""Keys of the pseudo-experiments: `coverage`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from taipan.config.base import Bounded, Name, Strict

CROSS_SECTIONS = (0.8, 1.2)
"""Range of injected cross sections over their prediction: they are measured to a few per cent."""


class Coverage(Strict):
    """Pseudo-experiments of `snakemake measure_coverage` and of calibrated intervals."""

    experiments: Annotated[int, Field(ge=10)] = Field(
        1000, description="Number of pseudo-experiments."
    )
    batches: Annotated[int, Field(ge=1)] = Field(
        4, description="Jobs that they are divided into (a divisor of `experiments`)."
    )
    mu_range: tuple[Bounded, Bounded] = Field(
        (0.0, 3.0),
        description="Range of the injected signal strengths, drawn uniformly. Cross sections are "
        "drawn within 20 % of their prediction.",
    )
    ranges: dict[Name, tuple[Bounded, Bounded]] = Field(
        default_factory=dict,
        description="The same for single parameters of interest, as a factor on the prediction: "
        "`{sigma_ztt: [0.8, 1.2]}`.",
    )
    simulation: dict[str, Any] | None = Field(
        default_factory=dict,
        description="Keys of the run that are others in the simulation that pseudo-data are drawn "
        "from, such as `fastsim.events`, `catalogue`, `files` or `seed`: a larger one, made "
        "independently. None: the events of the run itself.",
    )
    calibrate: bool = Field(
        False,
        description="Draw the pseudo-experiments in every run, learn from them how the interval of "
        "`fit.poi` is calibrated, and put the calibrated one into the summary.",
    )

    def range_of(self, name: str, *, is_cross_section: bool) -> tuple[float, float]:
        """Give the range from which a parameter of interest is drawn, as a factor on yields."""
        usual = CROSS_SECTIONS if is_cross_section else self.mu_range
        low, high = self.ranges.get(name, usual)
        return float(low), float(high)
