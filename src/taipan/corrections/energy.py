"""Energy corrections of objects, such as jets: a factor on the momentum, and its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from taipan.columns.expressions import Expression
from taipan.columns.shifts import Columns
from taipan.config.base import Name
from taipan.corrections.base import FromFile, InputNames, OpenedEnergy, Side
from taipan.corrections.files import open_correction_file
from taipan.corrections.lookup import Evaluated, Lookup, bind, bind_expression
from taipan.corrections.sided import SidedLookup, bind_sides
from taipan.corrections.stored_view import StoredView
from taipan.errors import TaipanError
from taipan.suggestions import unknown

Array = NDArray[Any]
_EVERYWHERE = (
    "a correction of objects acts on all simulation: which events are selected depends on it"
)


class ObjectCorrection(FromFile):
    """What corrections of the energies of objects share."""

    objects: Name = Field("Jet", description="Collection that is corrected.")

    of_objects = True

    @model_validator(mode="after")
    def _everywhere(self) -> ObjectCorrection:
        for name in ("samples", "regions"):
            if getattr(self, name) is not None:
                raise ValueError(f"`{name}`: {_EVERYWHERE}")
        return self

    def allowed(self, key: str, known: InputNames) -> tuple[str, ...]:
        """List the names that inputs may use: stored fields, and columns of the event.

        Raises
        ------
        TaipanError
            If the collection is not one of the selection.
        """
        fields = known.fields(f"{key}.objects", self.objects)
        assert known.stored is not None  # fields() refuses that
        stored = known.stored
        own = set(stored.fields(self.objects))
        scalars = [name for name in stored.types if name not in stored.jagged]
        return (*(name for name in fields if name in own), *scalars)


class EnergyCorrection(ObjectCorrection):
    """A factor on the momentum of objects."""

    kind: Literal["energy"] = Field(
        description="A factor on the momentum of objects, such as jet energy corrections; cuts, "
        "quantities and the missing momentum follow."
    )
    correction: str | None = Field(
        None,
        description="Name of the correction in `file`; without it, there is an uncertainty only.",
    )
    relative_to: str = Field(
        "pt",
        description="Momentum that the factor multiplies: an expression of stored fields, such as "
        "`pt * (1 - rawFactor)` for a correction of uncorrected jets.",
    )
    uncertainty: str | None = Field(
        None,
        description="Correction of `file` with the relative uncertainty of the momentum, instead "
        "of `up` and `down`.",
    )
    data: str | None = Field(
        None, description="Correction of `file` for the objects of collision data; none if absent."
    )

    @model_validator(mode="after")
    def _one_way(self) -> EnergyCorrection:
        if self.uncertainty is not None and self.up is not None:
            raise ValueError("either `uncertainty`, a relative size, or `up` and `down`")
        if self.correction is None and self.uncertainty is None and self.data is None:
            raise ValueError("one of `correction`, `uncertainty` and `data` is needed")
        if self.correction is None and self.up is not None:
            raise ValueError("`up` is another value of `correction`, which is missing")
        return self

    @property
    def sides(self) -> tuple[str, ...]:
        """Both with `uncertainty`; else those of `up` and `down`."""
        return ("up", "down") if self.uncertainty is not None else super().sides

    def without_uncertainty(self) -> EnergyCorrection | None:
        """Leave the uncertainty out, which may be all that there is."""
        if self.correction is None and self.data is None:
            return None
        return self.model_copy(update={"up": None, "down": None, "uncertainty": None})

    def open(self, key: str, known: InputNames) -> OpenedEnergy:
        """Bind the factor and the uncertainty."""
        allowed = self.allowed(key, known)
        file = open_correction_file(f"{key}.file", self.file)
        wanted = [self.correction, self.uncertainty, self.data, self.up, self.down]
        used = {
            item.name
            for name in wanted
            if name is not None and name in file.evaluators
            for item in file.evaluators[name].inputs
        }
        for name in self.inputs:
            if used and name not in used:
                what = f"input of a correction of {file.path} that is used"
                raise TaipanError(unknown(f"{key}.inputs.{name}", name, what, sorted(used)))

        def own(name: str) -> EnergyCorrection:
            there = (
                {i.name for i in file.evaluators[name].inputs} if name in file.evaluators else {}
            )
            inputs = {k: v for k, v in self.inputs.items() if k in there}
            return self.model_copy(update={"inputs": inputs})

        def plain(name: str, name_key: str) -> Lookup:
            chosen = own(name)
            return bind(
                *(key, file, name, chosen.inputs, allowed),
                out_of_range=self.out_of_range,
                name_key=name_key,
            )

        sided = None
        if self.correction is not None:
            sided = bind_sides(own(self.correction), key, file, self.correction, allowed)
        relative = self.uncertainty and plain(self.uncertainty, "uncertainty")
        of_data = None
        if self.data is not None:
            alone = own(self.data).model_copy(update={"up": None, "down": None})
            of_data = bind_sides(alone, key, file, self.data, allowed, name_key="data")
        base = bind_expression(f"{key}.relative_to", self.relative_to, allowed)
        return _Opened(self.objects, base, sided, relative or None, of_data)


@dataclass(frozen=True)
class _Opened(OpenedEnergy):
    """Factor on the momentum of each stored object."""

    collection: str
    relative_to: Expression
    sided: SidedLookup | None
    relative: Lookup | None
    data: SidedLookup | None

    def change(self, columns: Columns, side: Side, *, is_data: bool) -> Evaluated:
        """Give the factor of each stored object, shape (n, objects)."""
        view = StoredView(columns, self.collection)
        factors = np.ones(view.number)
        outside = missing = np.zeros(view.number, dtype=bool)
        sided = self.data if is_data else self.sided
        if sided is not None:
            chosen: Side = "apply" if is_data or self.relative is not None else side
            found = sided.evaluate(view, chosen)
            outside, missing = found.outside, found.missing
            base = view.evaluate(self.relative_to) / view.field("pt")
            factors = np.where(missing, 1.0, found.values * base)
        if self.relative is not None and side != "apply" and not is_data:
            size = self.relative.evaluate(view, None)
            sign = 1.0 if side == "up" else -1.0
            factors = factors * np.where(size.missing, 1.0, 1.0 + sign * size.values)
            outside, missing = outside | size.outside, missing | size.missing
        return Evaluated(view.pad(factors, 1.0), view.pad(outside, False), view.pad(missing, False))
