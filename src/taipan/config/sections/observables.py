"""Keys of quantities: `quantities`, `observables`, `control_plots`, `categorical`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from taipan.config.base import Bounded, Strict
from taipan.config.sections.ditau_mass import DitauMassQuantity


class DerivedQuantity(Strict):
    """A quantity that is an expression of others, usable wherever those are."""

    kind: Literal["expression"] = Field(
        "expression", description="What it is; an expression if absent."
    )
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


def _read_expression(value: Any) -> Any:
    """Read an entry without a kind, and a text that stands alone, as an expression."""
    if isinstance(value, str):
        return {"kind": "expression", "expression": value}
    if isinstance(value, dict) and "kind" not in value:
        return {"kind": "expression", **value}
    return value


if TYPE_CHECKING:
    AnyQuantity = DerivedQuantity | DitauMassQuantity
else:
    AnyQuantity = Annotated[
        DerivedQuantity | DitauMassQuantity,
        Field(
            discriminator="kind",
            description="A quantity made of others, usable wherever those are: an expression "
            '(`st: "pt_1 + pt_2 + met"`), or what `kind` names.',
        ),
        BeforeValidator(_read_expression),
    ]
"""An entry of ``quantities``."""


def quantity_expressions(quantities: Mapping[str, Any]) -> dict[str, str]:
    """Give name → text of those entries that are expressions."""
    return {k: item.expression for k, item in quantities.items() if item.kind == "expression"}


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
