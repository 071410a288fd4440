"""Scales of the hard process: the weights of other factorisation and renormalisation scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

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

_FACTORS = (0.5, 1.0, 2.0)
_NOMINAL = (1.0, 1.0)
_OPPOSITE = ((0.5, 2.0), (2.0, 0.5))
_PAIRS = {"muR": (2.0, 1.0), "muF": (1.0, 2.0), "muRmuF": (2.0, 2.0)}
_SORTED = [(renormalisation, factor) for renormalisation in _FACTORS for factor in _FACTORS]
"""Order of NanoAOD: by the factor of the renormalisation scale, then by that of factorisation
(``GenWeightsTableProducer`` sorts them); of eight, the nominal is not there."""
_RENORMALISATION, _FACTORISATION = "mur|renscfact", "muf|facscfact"


class ScaleWeights(GeneratorWeights):
    """Scales halved and doubled: an envelope, or a parameter for each scale."""

    kind: Literal["scale_weights"] = Field(
        description="Scales of the hard process, from the generator's weights (`LHEScaleWeight`)."
    )
    vary: Literal["envelope", "muR", "muF", "muRmuF"] = Field(
        "envelope",
        description="`envelope`: in each bin the largest and the smallest yield of the six that "
        "vary one scale, or both in the same direction; otherwise the named scales are doubled (up)"
        " and halved (down).",
    )
    members: list[Annotated[int, Field(ge=0)]] | None = Field(
        None,
        description="Places of the weights, where the file does not tell: those of the envelope, "
        "or those of up and down.",
    )

    branch: ClassVar[str] = "LHEScaleWeight"

    @model_validator(mode="after")
    def _enough(self) -> ScaleWeights:
        if self.members is None:
            return self
        if self.vary != "envelope" and len(self.members) != 2:
            raise ValueError(f"members: {len(self.members)} places (vary: {self.vary} takes two)")
        if not self.members:
            raise ValueError("members: an empty list has no envelope")
        return self

    def choose_members(self, title: str, count: int) -> Members:
        """Choose by the key `members`, by the title, or by the order of NanoAOD for 9 or 8."""
        method = "envelope" if self.vary == "envelope" else "pair"
        if self.members is not None:
            check_places(self.branch, {"members": self.members}, count)
            return Members(method, tuple(self.members))
        factors = _find_factors(title, count)
        if self.vary != "envelope":
            return Members(method, find_pair(factors, _PAIRS[self.vary]))
        chosen = {
            pair: place
            for pair, place in factors.items()
            if pair not in (_NOMINAL, *_OPPOSITE) and set(pair) <= set(_FACTORS)
        }
        if len(chosen) != 6:
            raise TaipanError(f"{len(chosen)} of the six variations of the scales are there")
        return Members(method, tuple(sorted(chosen.values())))

    def combine_members(
        self, nominal: Array, values: Mapping[int, Array], members: Members
    ) -> tuple[Array, Array]:
        """Take the envelope, the nominal yield included, or the pair."""
        chosen = [values[place] for place in members.varied]
        if members.method == "pair":
            return chosen[0], chosen[1]
        together = np.stack([nominal, *chosen])
        return together.max(axis=0), together.min(axis=0)


def _find_factors(title: str, count: int) -> dict[tuple[float, float], int]:
    """Give (factor of the renormalisation, of the factorisation scale) → place."""
    texts = read_title(title)
    if not texts:
        order = {9: _SORTED, 8: [pair for pair in _SORTED if pair != _NOMINAL]}.get(count)
        if order is None:
            raise TaipanError(
                f"{count} weights whose title does not say what they are (9, or 8 without the "
                "nominal, have a known order; name others in `members`)"
            )
        return {pair: place for place, pair in enumerate(order)}
    found: dict[tuple[float, float], int] = {}
    for place, text in texts.items():
        pair = (read_factor(_RENORMALISATION, text), read_factor(_FACTORISATION, text))
        if pair[0] is None or pair[1] is None or place >= count:
            raise TaipanError(
                f"'[{place}] is {text.strip()}' of {count} weights is not understood; name those "
                "to use in `members`"
            )
        key = (pair[0], pair[1])
        if key in found:
            raise TaipanError(
                f"members {found[key]} and {place} have the same factors of the scales; name those "
                "to use in `members`"
            )
        found[key] = place
    return found
