"""Keys of quantities: `quantities`, `observables`, `control_plots`, `categorical`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from taipan.config.base import Bounded, Strict


class DerivedQuantity(Strict):
    """A quantity that is an expression of others, usable wherever those are."""

    expression: str = Field(
        description="Numbers, quantities (also those defined before), `+ - * /`, comparisons, "
        '`and`, `or`, `not`, `abs()`. It may stand alone: `st: "pt_1 + pt_2 + met"`.'
    )
    unit: str = Field("", description="Unit of its value, empty if it has none.")
    meaning: str = Field("", description="What it is; the expression if empty.")

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, value: Any) -> Any:
        return {"expression": value} if isinstance(value, str) else value


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

    quantity: str | None = Field(
        None, description="Quantity that is filled; that of the same name if absent."
    )
    label: str = Field(description="Axis label.")
    unit: str = Field("", description="Unit on the axis, empty if it has none.")
    binning: list[Bounded] = Field(min_length=2, description="Bin edges, strictly increasing.")


def filled_quantities(observables: Mapping[str, Observable]) -> dict[str, str]:
    """Give observable → quantity whose values it counts."""
    return {name: item.quantity or name for name, item in observables.items()}
