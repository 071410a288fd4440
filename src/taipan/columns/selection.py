"""How a selection is written: objects, cuts and quantities in the idiom of coffea.

::

    selection = Selection("dimuon")

    @selection.objects("Muon", shifts={"muon_pt": scale()})
    def muons(events):
        return events.Muon[(events.Muon.pt > 20) & (abs(events.Muon.eta) < 2.4)]

    @selection.cuts
    def cuts(events):
        return {"two muons": ak.num(events.Muon) >= 2}

    @selection.quantities({"m_mumu": "invariant mass of the muons [GeV]"})
    def pair(events):
        first, second = events.Muon[:, 0], events.Muon[:, 1]
        return {"m_mumu": (first + second).mass}

    ANALYSIS = selection.build()

Nothing is listed: what is read and stored follows from what these functions use. The skim and every
later step run the same functions. In the skim the `pt` and `mass` of a collection with energy
scales look as large as any variation makes them, so that each threshold is loosened by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from taipan.analysis import Alternatives, Analysis
from taipan.columns.behaviours import (
    Direction,
    add_transverse,
    make_particles,
    transverse_mass,
)
from taipan.columns.declared import Declared, ObjectRule, QuantityRule
from taipan.columns.fields import Field
from taipan.columns.new_fields import NewField, generated_jet_pt, matched_to
from taipan.columns.shift_rules import Rule, own_shift, scale, smear, unclustered

__all__ = [
    "Direction",
    "Field",
    "NewField",
    "Selection",
    "add_transverse",
    "generated_jet_pt",
    "make_particles",
    "matched_to",
    "own_shift",
    "scale",
    "smear",
    "transverse_mass",
    "unclustered",
]
Function = Callable[..., Any]


class Selection:
    """What an analysis selects and computes.

    Parameters
    ----------
    name
        Of the analysis.
    missing
        Group of the missing transverse momentum that balances the shifts of objects.
    alternatives
        Branch → where else it may come from in files of another NanoAOD version.
    fields
        Type, unit and meaning of stored columns that :mod:`taipan.columns.fields` does not know.
    flat_only
        The same of columns that only flat ntuples fill; they are 0 in events of NanoAOD.
    reads
        Branches that are used where no recording sees it: on a condition of the data, or of
        objects of several collections together.
    keep
        Branches with one value an event that the skim stores, whether or not a quantity uses them:
        corrections of objects may. Those of the generator record are 0 in data.
    fingerprint
        Branches that tell apart two simulated events with the same numbers.
    """

    def __init__(
        self,
        name: str,
        *,
        missing: str = "MET",
        alternatives: Alternatives | None = None,
        fields: Mapping[str, Field] | None = None,
        flat_only: Mapping[str, Field] | None = None,
        reads: Sequence[str] = (),
        keep: Sequence[str] = (),
        fingerprint: Sequence[str] = (),
    ) -> None:
        self._name = name
        self._missing = missing
        self._alternatives = dict(alternatives or {})
        self._fields = dict(fields or {})
        self._flat_only = dict(flat_only or {})
        self._reads = tuple(reads)
        self._kept = tuple(keep)
        self._fingerprint = tuple(fingerprint)
        self._objects: dict[str, ObjectRule] = {}
        self._quantities: list[QuantityRule] = []
        self._shifts: dict[str, Rule] = {}
        self._trigger: Function | None = None
        self._cuts: Function | None = None
        self._flat: tuple[Function, tuple[str, ...]] | None = None

    def trigger(self, function: Function) -> Function:
        """Take a function ``events -> mask`` that needs no objects; it is asked of all events."""
        self._trigger = function
        return function

    def objects(
        self,
        collection: str,
        *,
        jets: bool = False,
        balance: bool = True,
        shifts: Mapping[str, Rule] | None = None,
        new: Mapping[str, NewField] | None = None,
        keep: Sequence[str] = (),
    ) -> Callable[[Function], Function]:
        """Take a function ``events -> objects`` that selects those of a collection.

        Parameters
        ----------
        collection
            As NanoAOD names it; afterwards ``events.<collection>`` is what the function returns.
        jets
            True for the jets that count in the balance of momenta: those near an object of another
            collection are that object again.
        balance
            False if its momentum is counted elsewhere, as that of fat jets in the jets.
        shifts
            Name → how their energy is varied: :func:`scale`, :func:`smear`.
        new
            Name → field made in the skim, of what is not stored.
        keep
            Further fields that the skim stores, those of `new` among them: corrections may use
            them, whether or not a quantity does. Those of the generator record are 0 in data.
        """

        def take(function: Function) -> Function:
            made = dict(new or {})
            self._objects[collection] = ObjectRule(function, jets, balance, made, tuple(keep))
            for name, rule in (shifts or {}).items():
                self._shifts[name] = rule.of(collection)
            return function

        return take

    def vary_missing(self, **shifts: Rule) -> None:
        """Declare shifts of the missing momentum alone."""
        self._shifts |= {name: rule.of(self._missing) for name, rule in shifts.items()}

    def cuts(self, function: Function) -> Function:
        """Take a function ``events -> {name: mask}``: an event passes if all are true."""
        self._cuts = function
        return function

    def quantities(
        self, meanings: Mapping[str, str], *, simulation_only: Sequence[str] = ()
    ) -> Callable[[Function], Function]:
        """Take a function that computes numbers of each event.

        The first one is called with the events and may return ``passes``, a mask: the other values
        are then those of the events that pass. Further ones are called with the events that pass
        and all that was computed before; a shift runs them again only if their inputs change.

        Parameters
        ----------
        meanings
            Quantity → what it is, with its unit in brackets: ``"missing momentum [GeV]"``.
        simulation_only
            Those made of the generator record.
        """

        def take(function: Function) -> Function:
            self._quantities.append(QuantityRule(function, dict(meanings), tuple(simulation_only)))
            return function

        return take

    def flat(self, *, identity: Sequence[str]) -> Callable[[Function], Function]:
        """Take a function that reads an already skimmed flat ntuple.

        It returns collection → objects (a record an event, or a list of them) and column → values.

        Parameters
        ----------
        identity
            Branches of which the identity of an event is made.
        """

        def take(function: Function) -> Function:
            self._flat = function, tuple(identity)
            return function

        return take

    def build(self) -> Analysis:
        """Run everything on no events, note what it uses, and put the analysis together.

        Raises
        ------
        TaipanError
            If the type of a stored column is not known, a quantity is computed but not described
            or the reverse, or the trigger needs objects.
        """
        declared = Declared(
            name=self._name,
            missing=self._missing,
            fields=self._fields,
            flat_only=self._flat_only,
            reads=self._reads,
            kept=self._kept,
            fingerprint=self._fingerprint,
            objects=self._objects,
            quantities=tuple(self._quantities),
            shifts=self._shifts,
            trigger=self._trigger,
            cuts=self._cuts,
            flat=self._flat,
        )
        return declared.analysis(self._alternatives)
