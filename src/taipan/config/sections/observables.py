"""Keys of quantities: `observables`, `control_plots`, `categorical`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from taipan.config.base import Bounded, Strict


class Categorical(Strict):
    """A feature whose values are categories, without order or distance."""

    values: list[Bounded] = Field(min_length=2, description="Its categories.")
    encoding: Literal["one_hot", "embedding"] = Field(
        "one_hot",
        description="`one_hot`: an input for each category; `embedding`: half as many trained "
        "numbers.",
    )


class Observable(Strict):
    """A histogrammed quantity."""

    label: str = Field(description="Axis label.")
    unit: str = Field("", description="Unit on the axis, empty if it has none.")
    binning: list[Bounded] = Field(min_length=2, description="Bin edges, strictly increasing.")
