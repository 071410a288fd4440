"""A factor on the weight of events: of quantities, or multiplied over objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from taipan.config.base import Name
from taipan.corrections.base import FromFile, InputNames, OpenedWeight, Side
from taipan.corrections.files import open_correction_file
from taipan.corrections.lookup import Evaluated, names_of
from taipan.corrections.sided import SidedLookup, bind_sides
from taipan.corrections.view import EventView


class FileWeight(FromFile):
    """A factor on the weight, from a correctionlib file."""

    kind: Literal["weight"] = Field(
        "weight", description="A factor on the weight of an event, or of each of its objects."
    )
    correction: str = Field(description="Name of the correction in `file`.")
    objects: Name | None = Field(
        None,
        description="Collection over whose selected objects the factor is multiplied; inputs are "
        "then its fields. Without it, a factor of the event.",
    )
    where: str | None = Field(
        None, description="Condition on the objects, such as `pt > 30`; the others have 1."
    )

    def open(self, key: str, known: InputNames) -> OpenedWeight:
        """Bind the correction to events or objects."""
        allowed = tuple(known.quantities)
        if self.objects is not None:
            allowed = known.fields(f"{key}.objects", self.objects)
        names = names_of(f"{key}.where", self.where, allowed)
        file = open_correction_file(f"{key}.file", self.file)
        sided = bind_sides(self, key, file, self.correction, allowed)
        return _Opened(sided, self.objects, self.where, sided.uses | names)


@dataclass(frozen=True)
class _Opened(OpenedWeight):
    """The factor of each event, or the product over its objects."""

    sided: SidedLookup
    objects: str | None
    where: str | None
    uses: frozenset[str]

    def evaluate(self, view: EventView, side: Side) -> Evaluated:
        """Give the factor of each event that passes."""
        if self.objects is None:
            return self.sided.evaluate(view, side)
        chosen = view.objects(self.objects, self.where)
        found = self.sided.evaluate(chosen, side)
        outside, missing = chosen.any(found.outside), chosen.any(found.missing)
        return Evaluated(chosen.multiply(found.values), outside, missing)
