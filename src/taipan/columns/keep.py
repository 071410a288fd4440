"""What the skim keeps: objects and events that pass under any variation, and their columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Column, Columns, SkimColumns, SkimContext
from taipan.columns.event_block import EventBlock, Lists, Objects
from taipan.columns.events import INDEX, BlockSource, Events, FlatSource
from taipan.columns.fields import is_generated
from taipan.columns.identity import hash_columns, hash_event_numbers
from taipan.columns.new_fields import NewField
from taipan.errors import TaipanError

Array = NDArray[Any]
Function = Callable[..., Any]
CHECKED = 2000
"""Events of a job that are selected a second time, with objects as soft as they can become."""


def preselect(trigger: Function | None, arrays: Columns, context: SkimContext) -> Array:
    """Ask the trigger of every event, shape (n,)."""
    if trigger is None:
        return np.ones(len(next(iter(arrays.values()))), dtype=bool)
    source = FlatSource(arrays)
    events = Events(source, is_data=context.is_data, dataset=context.dataset)
    return np.asarray(trigger(events)).astype(bool)


@dataclass(frozen=True)
class Keeper:
    """The loosened selection.

    Attributes
    ----------
    selectors
        Collection → function that selects its objects.
    new
        Collection → name → field that is made of them.
    cuts
        ``events -> {name: mask}``, or None.
    columns
        Columns to keep.
    used
        Branches that the functions look at.
    loosened
        Collection → key of the envelope that its thresholds are loosened by.
    """

    selectors: Mapping[str, Function]
    new: Mapping[str, Mapping[str, NewField]]
    cuts: Function | None
    columns: tuple[Column, ...]
    used: tuple[str, ...]
    loosened: Mapping[str, str]

    def __call__(
        self, block: EventBlock, context: SkimContext
    ) -> tuple[SkimColumns, list[tuple[str, Array]]]:
        """Select events and their objects.

        Parameters
        ----------
        block
            Events that pass the trigger.
        context
            Dataset and loosening.

        Returns
        -------
        columns
            Skim columns of the surviving events.
        cuts
            In order, (name of cut, mask over the events handed in); each includes those before.

        Raises
        ------
        TaipanError
            If an event passes with softer objects and not with harder ones: a cut from above
            belongs to regions, not into the skim.
        """
        factors = {name: 1.0 + context.envelope[key] for name, key in self.loosened.items()}
        events = self._events(block, context, factors)
        cuts = self._cut(events)
        if factors and context.first:
            self._refuse_cuts_from_above(block, context, cuts)
        passed = cuts[-1][1] if cuts else np.ones(len(events), dtype=bool)
        kept = events[passed]
        chosen: dict[str, Objects] = {}
        for collection in dict.fromkeys(c.name.partition("_")[0] for c in self.columns if c.jagged):
            chosen[collection] = self._chosen(block, kept, collection, passed)
        return self._columns(block, kept, chosen, passed, context), cuts

    def _events(
        self, block: EventBlock, context: SkimContext, factors: Mapping[str, float]
    ) -> Events:
        source = BlockSource(block, self.used, factors)
        return Events(
            source, is_data=context.is_data, dataset=context.dataset, objects=self.selectors
        )

    def _cut(self, events: Events) -> list[tuple[str, Array]]:
        found = []
        passed = np.ones(len(events), dtype=bool)
        for name, mask in (self.cuts(events) if self.cuts else {}).items():
            passed = passed & np.asarray(ak.fill_none(mask, False)).astype(bool)
            found.append((name, passed))
        return found

    def _refuse_cuts_from_above(
        self, block: EventBlock, context: SkimContext, cuts: list[tuple[str, Array]]
    ) -> None:
        few = np.arange(block.number) < CHECKED
        soft = {name: 1.0 - context.envelope[key] for name, key in self.loosened.items()}
        for (name, mask), (_, softer) in zip(
            cuts, self._cut(self._events(block.where(few), context, soft)), strict=True
        ):
            lost = int((softer & ~mask[few]).sum())
            if lost:
                raise TaipanError(
                    f"cut '{name}' of the selection loses {lost} of {int(few.sum())} events that "
                    "pass with softer objects (allowed in the skim: cuts that harder objects "
                    "cannot fail; others belong to quantities and regions)"
                )

    def _chosen(self, block: EventBlock, kept: Events, collection: str, passed: Array) -> Objects:
        if collection not in self.selectors:
            return block.objects(collection).of_events(passed)
        objects = getattr(kept, collection)
        counts = np.asarray(ak.num(objects))
        return block.objects(collection).take(np.asarray(ak.flatten(objects[INDEX])), counts)

    def _columns(
        self,
        block: EventBlock,
        kept: Events,
        chosen: Mapping[str, Objects],
        passed: Array,
        context: SkimContext,
    ) -> dict[str, Array | Lists]:
        n = len(kept)
        found: dict[str, Array | Lists] = {}
        for column in self.columns:
            name = column.name
            collection, _, short = name.partition("_")
            if column.jagged and short in self.new.get(collection, {}):
                found[name] = _make(
                    self.new[collection][short], kept, collection, chosen[collection], context
                )
            elif column.jagged and context.is_data and is_generated(name):
                none = np.zeros(len(chosen[collection]), column.dtype)
                found[name] = Lists(none, chosen[collection].counts)
            elif column.jagged:
                found[name] = chosen[collection].lists(short)
            elif name == "event_hash":
                numbers = (block[key][passed] for key in ("run", "luminosityBlock", "event"))
                found[name] = hash_event_numbers(*numbers)
            elif name in block:
                found[name] = block[name][passed]
            else:
                found[name] = np.full(n, name == "genWeight", dtype=column.dtype)
        return found


def _make(
    field: NewField, kept: Events, collection: str, chosen: Objects, context: SkimContext
) -> Lists:
    """Make a new field of the objects that are kept."""
    if field.simulation and context.is_data:
        return Lists(np.zeros(len(chosen), field.described.dtype), chosen.counts)
    values = ak.flatten(field.make(kept, collection))
    return Lists(np.asarray(values).astype(field.described.dtype), chosen.counts)


@dataclass(frozen=True)
class FlatReader:
    """Reads an already skimmed flat ntuple.

    Attributes
    ----------
    function
        ``ntuple -> {collection: objects, column: values}``.
    identity
        Branches of which the identity of an event is made.
    columns
        Skim columns.
    """

    function: Function
    identity: tuple[str, ...]
    columns: tuple[Column, ...]

    def __call__(self, arrays: Columns, context: SkimContext) -> SkimColumns:
        """Turn branches, shape (n,), into skim columns; what is not given is 0, the weight 1."""
        source = FlatSource(arrays)
        events = Events(source, is_data=context.is_data, dataset=context.dataset)
        made = self.function(events)
        n = len(events)
        found: dict[str, Array | Lists] = {}
        for column in self.columns:
            group, _, short = column.name.partition("_")
            if column.name == "event_hash":
                found[column.name] = hash_columns([arrays[name] for name in self.identity])
            elif column.name in made:
                found[column.name] = np.asarray(made[column.name])
            elif group in made and short:
                found[column.name] = _to_column(made[group][short], column)
            elif column.jagged:
                raise TaipanError(f"column '{column.name}' is not made of the flat ntuple")
            else:
                found[column.name] = np.full(n, column.name == "genWeight", dtype=column.dtype)
        return found


def _to_column(values: Any, column: Column) -> Array | Lists:
    """Numbers of one object an event, or of a list of them."""
    if not column.jagged:
        return np.asarray(values)
    if getattr(values, "ndim", 1) == 1:
        return Lists(np.asarray(values), np.ones(len(values), dtype=np.int64))
    flat = np.asarray(ak.flatten(ak.drop_none(values)))
    return Lists(flat, np.asarray(ak.num(values)))
