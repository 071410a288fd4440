"""Fields of objects that are made in the skim, of what is not stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import awkward as ak

from taipan.columns.fields import Field

Function = Callable[..., Any]


@dataclass(frozen=True)
class NewField:
    """A field of objects that is made in the skim.

    Attributes
    ----------
    function
        ``objects -> values``, one an object.
    described
        Type, unit and meaning.
    simulation
        True if it needs the generator record; it is false or 0 in data.
    """

    function: Function
    described: Field
    simulation: bool = True


def matched_to(pdg_id: int, meaning: str) -> NewField:
    """Make a field that tells whether an object is matched to a generated particle of a kind.

    Parameters
    ----------
    pdg_id
        Its number in the scheme of the Particle Data Group, of either charge.
    meaning
        What it is.
    """

    def function(objects: Any) -> Any:
        return abs(ak.fill_none(objects.matched_gen.pdgId, 0)) == abs(pdg_id)

    return NewField(function, Field("bool", "", meaning))
