"""Scales of the parton shower: the weights of more and of less radiation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from taipan.errors import TaipanError
from taipan.systematics.members import (
    GeneratorWeights,
    Members,
    check_places,
    find_pair,
    read_factor,
    read_title,
)

Array = NDArray[np.float64]

_PAIRS = {"isr": (2.0, 1.0), "fsr": (1.0, 2.0)}


class ShowerWeights(GeneratorWeights):
    """The scale of the radiation off the initial or the final state, doubled and halved."""

    kind: Literal["shower_weights"] = Field(
        description="Scale of the parton shower, from the generator's weights (`PSWeight`)."
    )
    vary: Literal["isr", "fsr"] = Field(
        description="Radiation off the initial or the final state. Up is the doubled scale: less "
        "radiation."
    )
    members: list[Annotated[int, Field(ge=0)]] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description="Places of the weights of the doubled and of the halved scale, where the file "
        "does not tell: their order differs between versions of NanoAOD.",
    )

    branch: ClassVar[str] = "PSWeight"

    def choose_members(self, title: str, count: int) -> Members:
        """Choose by the key `members`, or by the title."""
        if self.members is not None:
            check_places(self.branch, {"members": self.members}, count)
            return Members("pair", (self.members[0], self.members[1]))
        if count < 4:
            raise TaipanError(
                f"{count} weight{'s' if count > 1 else ''} (4 are needed; a single one is a "
                "placeholder of a sample without them)"
            )
        factors = {}
        for place, text in read_title(title).items():
            pair = (read_factor("isr", text), read_factor("fsr", text))
            if pair[0] is not None and pair[1] is not None:
                factors[pair[0], pair[1]] = place
        if not factors:
            raise TaipanError(
                f"{count} weights whose title does not say what they are; name those of the "
                "doubled and of the halved scale in `members` ([0, 2] or [1, 3], in one of both "
                "orders: it differs between versions of NanoAOD)"
            )
        return Members("pair", find_pair(factors, _PAIRS[self.vary]))

    def combine_members(
        self, nominal: Array, values: Mapping[int, Array], members: Members
    ) -> tuple[Array, Array]:
        """Take the pair."""
        up, down = members.varied
        return values[up], values[down]
