"""From what a selection declares to the functions that the skim and later steps call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import awkward as ak

from taipan.analysis import Alternative, Alternatives, Analysis, Column, Quantity, Shift
from taipan.columns.compute import Computation, Step
from taipan.columns.events import Events
from taipan.columns.fields import SINGLE, Field, describe_field, is_generated, nearest_known
from taipan.columns.keep import FlatReader, Keeper, preselect
from taipan.columns.new_fields import NewField
from taipan.columns.recording import Known, RecordingSource, recording
from taipan.columns.shift_rules import Rule
from taipan.columns.shifts import Balance
from taipan.columns.stored import StoredObjects
from taipan.errors import TaipanError

Function = Callable[..., Any]
_NUMBERS = ("run", "luminosityBlock", "event")
_ALWAYS = (*_NUMBERS, "event_hash", "genWeight", "PV_npvs")
_MADE = ("event_hash", "genWeight")
_ELSEWHERE: Alternatives = {  # NanoAOD since v10 has no masses of photons
    "Photon_mass": (Alternative(("Photon_pt",), "photons without mass", ak.zeros_like),)
}


@dataclass(frozen=True)
class ObjectRule:
    """How the objects of a collection are selected; see :meth:`Selection.objects`."""

    function: Function
    jets: bool = False
    balance: bool = True
    new: Mapping[str, NewField] = field(default_factory=dict)
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class QuantityRule:
    """A function that computes numbers of events, and what they are."""

    function: Function
    meanings: Mapping[str, str]
    simulation_only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declared:
    """All that a :class:`~taipan.columns.selection.Selection` was told."""

    name: str
    missing: str
    fields: Mapping[str, Field]
    flat_only: Mapping[str, Field]
    reads: tuple[str, ...]
    kept: tuple[str, ...]
    fingerprint: tuple[str, ...]
    objects: Mapping[str, ObjectRule]
    quantities: tuple[QuantityRule, ...]
    shifts: Mapping[str, Rule]
    trigger: Function | None
    cuts: Function | None
    flat: tuple[Function, tuple[str, ...]] | None

    @property
    def known(self) -> dict[str, Field]:
        """Columns that the analysis describes itself."""
        made = {
            f"{collection}_{name}": new.described
            for collection, rule in self.objects.items()
            for name, new in rule.new.items()
        }
        return {**self.fields, **self.flat_only, **made}

    def balance(self, used: Iterable[str]) -> Balance:
        """Say what the momentum of an event is made of; `used` are the columns that are used."""
        jets = [name for name, rule in self.objects.items() if rule.jets]
        others = [name for name, rule in self.objects.items() if rule.balance and not rule.jets]
        wanted = any(name.startswith(f"{self.missing}_") for name in used) or any(
            rule.kind == "unclustered" for rule in self.shifts.values()
        )
        missing = self.missing if wanted else None
        return Balance(missing, tuple(others), jets[0] if jets else None)

    @property
    def selectors(self) -> dict[str, Function]:
        """Collection → function that selects its objects."""
        return {name: rule.function for name, rule in self.objects.items()}

    def analysis(self, alternatives: Alternatives) -> Analysis:
        """Put the analysis together; see :meth:`Selection.build`."""
        first = self._record_trigger()
        skim = {is_data: self._record_skim(is_data) for is_data in (False, True)}
        steps, quantities = self._record_quantities()
        balance = self.balance(
            (*skim[False], *self.reads, *(name for step in steps for name in step.columns))
        )
        stored = self._stored(steps, balance)
        columns = tuple(self._column(name) for name in stored)
        made = {*_MADE, *self.known} - set(self.fields)
        kept = [name for name in stored if name not in made]
        of_generator = tuple(name for name in kept if is_generated(name))
        of_all = (*kept, *self.reads, *skim[True])
        read = [name for name in dict.fromkeys(of_all) if name not in of_generator]
        of_simulation = dict.fromkeys((*skim[False], *of_generator))
        generated = tuple(name for name in of_simulation if name not in read)
        keeper = Keeper(
            selectors=self.selectors,
            new={name: rule.new for name, rule in self.objects.items()},
            cuts=self.cuts,
            columns=columns,
            used=tuple(dict.fromkeys((*skim[False], *self.reads))),
            loosened={
                rule.collection: rule.envelope for rule in self.shifts.values() if rule.envelope
            },
        )
        computation = Computation(
            tuple(steps), self.selectors, {column.name: column.dtype for column in columns}
        )
        reader = None if self.flat is None else FlatReader(*self.flat, columns)
        return Analysis(
            name=self.name,
            trigger_branches=first,
            branches=tuple(name for name in read if name not in first),
            simulation_branches=generated,
            optional_branches=("genWeight",),
            columns=columns,
            quantities=quantities,
            shifts={
                name: Shift(
                    *(
                        rule.function(balance),
                        rule.envelope,
                        rule.describe(balance),
                        rule.power,
                        rule.limit,
                    )
                )
                for name, rule in self.shifts.items()
            },
            objects=StoredObjects(
                self.selectors,
                {column.name: column.dtype for column in columns},
                balance,
                keeper.loosened,
                frozenset(column.name for column in columns if column.jagged),
                self._record_objects(stored),
            ),
            preselect=partial(preselect, self.trigger),
            select=keeper,
            compute=computation.compute,
            recompute=computation.recompute,
            parts=tuple(frozenset(step.columns) for step in steps),
            flat=reader,
            flat_branches=self._record_flat(),
            alternatives={**_ELSEWHERE, **alternatives},
            fingerprint=self.fingerprint,
        )

    def _record_trigger(self) -> tuple[str, ...]:
        if self.trigger is None:
            return ()
        with recording(self.known) as seen:
            mask = self.trigger(Events(RecordingSource()))
        objects = [name for name in seen if is_object(name)]
        if objects:
            raise TaipanError(
                f"selection '{self.name}', trigger: '{objects[0]}' is a list of objects (allowed: "
                "branches with one value an event; objects belong to cuts)"
            )
        self._check_shape("trigger", "what it returns", mask)
        return tuple(seen)

    def _record_skim(self, is_data: bool) -> tuple[str, ...]:
        with recording(self.known) as seen:
            events = Events(RecordingSource(), is_data=is_data, objects=self.selectors)
            if self.cuts is not None:
                for name, mask in self.cuts(events).items():
                    self._check_shape("cuts", f"'{name}'", mask)
            for collection, rule in self.objects.items():
                getattr(events, collection)
                for new in rule.new.values():
                    if not (is_data and new.simulation):
                        new.make(events, collection)
        return tuple(name for name in seen if name not in self.known or name in self.fields)

    def _record_objects(self, stored: Sequence[str]) -> dict[str, frozenset[str]]:
        """List for each collection the stored columns that its selected objects depend on."""
        found = {}
        for collection in self.objects:
            with recording(self.known) as seen:
                getattr(Events(RecordingSource(), objects=self.selectors), collection)
            own = [name for name in stored if is_object(name, collection)]
            found[collection] = frozenset((*seen, *own, *self.reads)) & frozenset(stored)
        return found

    def _record_quantities(self) -> tuple[list[Step], dict[str, Quantity]]:
        steps: list[Step] = []
        found: dict[str, Quantity] = {}
        for rule in self.quantities:
            known = Known(tuple(found))
            with recording(self.known) as seen:
                events = Events(RecordingSource(), objects=self.selectors)
                made = dict(rule.function(events, known) if steps else rule.function(events))
            for name, values in made.items():
                self._check_shape("quantities", f"'{name}'", values)
            made.pop("passes", None)
            self._check_described(rule, made)
            columns = tuple(seen)
            needed = [*columns, *(c for name in known.seen for c in found[name].requires)]
            for name, text in rule.meanings.items():
                meaning, _, unit = text.removesuffix("]").partition(" [")
                found[name] = Quantity(
                    *(name, unit, meaning, tuple(dict.fromkeys(needed))),
                    may_be_missing=_is_option(made[name]),
                    simulation_only=name in rule.simulation_only,
                )
            steps.append(Step(rule.function, columns, tuple(known.seen), tuple(rule.meanings)))
        return steps, found

    def _check_shape(self, function: str, what: str, values: Any) -> None:
        """Refuse what is not one number or answer an event."""
        fields = ak.fields(values) if isinstance(values, ak.Array) else []
        dimensions = getattr(values, "ndim", 0)
        if fields:
            found = f"is an object of {', '.join(fields[:4])} (take one of them, such as .pt)"
        elif dimensions == 0:
            found = "is one value for all events together (sums and the like need axis=1)"
        elif dimensions > 1:
            found = (
                "is a list of values an event (take one object, such as [:, 0], or ak.sum or "
                "ak.any with axis=1)"
            )
        else:
            return
        raise TaipanError(
            f"selection '{self.name}', {function}: {what} {found}; allowed: one value an event"
        )

    def _check_described(self, rule: QuantityRule, made: Mapping[str, Any]) -> None:
        for name in (*made, *rule.meanings):
            if name not in rule.meanings or name not in made:
                what = (
                    "is described but not computed"
                    if name in rule.meanings
                    else ("is computed but not described")
                )
                raise TaipanError(f"selection '{self.name}', quantities: '{name}' {what}")

    def _record_flat(self) -> tuple[str, ...]:
        if self.flat is None:
            return ()
        function, identity = self.flat
        seen: dict[str, None] = {}
        for is_data in (False, True):
            with recording(self.known) as found:
                function(Events(RecordingSource(), is_data=is_data))
            seen |= found
        return tuple(dict.fromkeys((*seen, *identity)))

    def _stored(self, steps: Sequence[Step], balance: Balance) -> list[str]:
        names = dict.fromkeys((*_ALWAYS, *self.kept))
        names |= dict.fromkeys(name for step in steps for name in step.columns)
        for rule in self.shifts.values():
            names |= dict.fromkeys(rule.columns(balance))
        for collection, item in self.objects.items():
            names |= dict.fromkeys(f"{collection}_{name}" for name in item.keep)
        scalars = [name for name in names if not is_object(name)]
        groups = dict.fromkeys(name.partition("_")[0] for name in names if is_object(name))
        return [
            *scalars,
            *(name for group in groups for name in names if is_object(name, group)),
        ]

    def _column(self, name: str) -> Column:
        known = describe_field(name, self.known)
        if known is None:
            raise TaipanError(
                f"selection '{self.name}': column '{name}' is stored, but its type is not known"
                f"{nearest_known(name, self.known)} (or say what it is: "
                f"Selection(..., fields={{'{name}': Field('float32', 'GeV', 'what it is')}}), with "
                "Field of taipan.columns.selection)"
            )
        return Column(name, *known, jagged=is_object(name))


def is_object(name: str, group: str | None = None) -> bool:
    """Tell whether a branch has a list of values an event (of a collection `group`)."""
    before, _, after = name.partition("_")
    listed = bool(after) and name[0].isupper() and before not in SINGLE
    return listed and group in (None, before)


def _is_option(values: Any) -> bool:
    layout = getattr(values, "layout", None)
    return layout is not None and bool(
        layout.is_option or (layout.is_indexed and layout.content.is_option)
    )
