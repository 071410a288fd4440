"""A correction of a file at its nominal value and at ±1σ."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from taipan.corrections.base import FromFile, Side
from taipan.corrections.files import CorrectionFile
from taipan.corrections.lookup import Evaluated, Lookup, bind
from taipan.corrections.view import Valued
from taipan.errors import TaipanError

Array = NDArray[Any]


@dataclass(frozen=True)
class SidedLookup:
    """Lookups and texts of the three sides.

    Attributes
    ----------
    sides
        Side → correction, and the text of its free input.
    """

    sides: Mapping[Side, tuple[Lookup, str | None]]

    @property
    def uses(self) -> frozenset[str]:
        """Names of the quantities and fields that the inputs are made of."""
        return frozenset().union(*(lookup.uses for lookup, _ in self.sides.values()))

    def evaluate(
        self, source: Valued, side: Side, given: Mapping[str, Array] | None = None
    ) -> Evaluated:
        """Look the factors of one side up."""
        lookup, text = self.sides[side]
        return lookup.evaluate(source, text, given)


def bind_sides(
    keys: FromFile,
    key: str,
    file: CorrectionFile,
    name: str,
    allowed: Collection[str],
    *,
    given: Iterable[str] = (),
    name_key: str = "correction",
) -> SidedLookup:
    """Bind a correction at its nominal value and at ±1σ.

    `up` and `down` are texts of the input that is not bound; where all are, they are names of other
    corrections of the file, with the same inputs.

    Parameters
    ----------
    keys
        With `inputs`, `apply`, `up`, `down` and `out_of_range`.
    key, file, name, allowed, given, name_key
        As of :func:`taipan.corrections.lookup.bind`, which says what is raised.

    Raises
    ------
    TaipanError
        If a text is not known to its input, or there is no correction of the name.
    """

    def bind_one(chosen: str, chosen_key: str) -> Lookup:
        return bind(
            key,
            file,
            chosen,
            keys.inputs,
            allowed,
            out_of_range=keys.out_of_range,
            given=given,
            name_key=chosen_key,
        )

    nominal = bind_one(name, name_key)
    if nominal.free is None and keys.apply != "nominal":
        raise TaipanError(
            f"{key}.apply: '{keys.apply}': '{name}' in {file.path} has no input of type string "
            "that is not bound (leave it out)"
        )
    sides: dict[Side, tuple[Lookup, str | None]] = {}
    chosen: dict[Side, str | None] = {"apply": keys.apply, "up": keys.up, "down": keys.down}
    for side, text in chosen.items():
        if text is None:
            continue
        if nominal.free is not None:
            nominal.check_text(f"{key}.{side}", text)
            sides[side] = nominal, text
        else:
            sides[side] = (nominal if side == "apply" else bind_one(text, side)), None
    if keys.up is not None and sides["up"] == sides["apply"]:
        raise TaipanError(f"{key}.up: '{keys.up}' is what is applied; the uncertainty is nothing")
    return SidedLookup(sides)
