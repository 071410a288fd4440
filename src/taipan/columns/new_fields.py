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
    of_events
        True if the function takes the events, to look at other collections, too.
    """

    function: Function
    described: Field
    simulation: bool = True
    of_events: bool = False

    def make(self, events: Any, collection: str) -> Any:
        """Call the function for the objects of a collection."""
        return self.function(events if self.of_events else getattr(events, collection))


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


def generated_jet_pt(jets: str = "Jet", generated: str = "GenJet") -> NewField:
    """Make a field with the transverse momentum of the generated jet, 0 where there is none.

    Parameters
    ----------
    jets, generated
        Names of the two collections; ``<jets>_genJetIdx`` points from one to the other.
    """

    def function(events: Any) -> Any:
        index = getattr(events, jets).genJetIdx
        momenta = getattr(events, generated).pt
        valid = (index >= 0) & (index < ak.num(momenta, axis=1))
        padded = ak.fill_none(ak.pad_none(momenta, 1, axis=1), 0.0)
        return ak.where(valid, padded[ak.where(valid, index, 0)], 0.0)

    meaning = "transverse momentum of the matched generated jet, 0 for none"
    return NewField(function, Field("float32", "GeV", meaning), of_events=True)
