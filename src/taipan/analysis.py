"""What ``selection.py`` provides: branches, skim columns, quantities, shifts and the selection.

It is a file of the analysis' folder with an attribute ``ANALYSIS`` of type :class:`Analysis`.
Everything else about an analysis is YAML.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from taipan.columns.event_block import EventBlock, Lists
from taipan.columns.expressions import Expression
from taipan.columns.stored import StoredObjects
from taipan.labels import is_score

Columns = Mapping[str, NDArray[Any]]
"""Event columns: scalars have shape (n,), objects (n, m) padded with NaN (numbers) at the end."""

SkimColumns = Mapping[str, NDArray[Any] | Lists]
"""Columns of the skim: scalars have shape (n,), objects are a list an event."""


@dataclass(frozen=True)
class SkimContext:
    """What a selection may know besides the events.

    Attributes
    ----------
    dataset
        Name of the dataset: primary datasets overlap.
    is_data
        True for collision data, which have no generator record.
    envelope
        Collection's key → relative loosening of its thresholds.
    first
        True for the first events of a job, on which what takes time is checked.
    """

    dataset: str
    is_data: bool
    envelope: Mapping[str, float]
    first: bool = True


@dataclass(frozen=True)
class Column:
    """A column of the skim.

    Attributes
    ----------
    name, unit, meaning
        Name, unit (empty if it has none) and what it is.
    dtype
        NumPy type in the Parquet file.
    jagged
        True if an event has a list of values (one an object).
    """

    name: str
    dtype: str
    unit: str
    meaning: str
    jagged: bool = False


@dataclass(frozen=True)
class Quantity:
    """A number per event computed from skim columns, usable in cuts, features and plots.

    Attributes
    ----------
    name, unit, meaning
        Name, unit (empty if it has none) and what it is.
    requires
        Skim columns it is computed from.
    may_be_missing
        True if it is NaN for some events (a jet that is not there).
    simulation_only
        True if it comes from the generator record: allowed where a sample is picked out of its
        datasets, never in a cut, feature or observable, which data must be able to have.
    """

    name: str
    unit: str
    meaning: str
    requires: tuple[str, ...]
    may_be_missing: bool = False
    simulation_only: bool = False


@dataclass(frozen=True)
class Shift:
    """A kinematic variation: a pure function of the columns and a relative size.

    Attributes
    ----------
    function
        ``(columns, size) -> columns``; size > 0 is the up variation, 0 the identity.
    envelope
        Key of ``skim.envelope`` that must cover the size, or None if no threshold moves.
    meaning
        What is shifted and what it is propagated to.
    power
        The size at α standard deviations is that at one times |α|^power, with the sign of α: 1 for
        a scale; ½ for a resolution, which adds in quadrature, so that its effect is linear in α,
        as that of a template is.
    limit
        Sizes are below it: 1 for a relative change.
    """

    function: Callable[[Columns, float], Columns]
    envelope: str | None
    meaning: str
    power: float = 1.0
    limit: float = 1.0

    def size_at(self, pull: float, size: float) -> float:
        """Give the size at `pull` standard deviations, `size` being that at one."""
        return math.copysign(size * abs(pull) ** self.power, pull * size)


@dataclass(frozen=True)
class Alternative:
    """A way to obtain a branch of the analysis from other branches of a file.

    Attributes
    ----------
    branches
        Branches of the file to read; all must be there.
    meaning
        What is used instead. Two files whose alternatives have the same meaning may be analysed
        together, others may not.
    derive
        Function of the arrays of `branches`, in that order; None takes the first as it is.
    markers
        Branches that must be there too but are not read: they tell the version of the file.
    titled
        Text that the title of the first of `branches` must contain, or None.
    preferred
        True if it replaces a branch of the analysis' name too, where that has another meaning.
    """

    branches: tuple[str, ...]
    meaning: str
    derive: Callable[..., Any] | None = None
    markers: tuple[str, ...] = ()
    titled: str | None = None
    preferred: bool = False


Alternatives = Mapping[str, Sequence[Alternative]]
"""Branch of the analysis → where else it may come from, best first."""


@dataclass(frozen=True)
class CorrectionGroup:
    """Corrections of weights that depend on the same things.

    Attributes
    ----------
    names
        The corrections.
    columns
        Stored columns that their objects depend on; empty if they look at the event alone.
    quantities
        Quantities that they depend on.
    """

    names: tuple[str, ...]
    columns: frozenset[str]
    quantities: tuple[str, ...]


class AppliedCorrections(Protocol):
    """Corrections of the nominal, bound to the quantities and objects of an analysis."""

    def correct_objects(self, columns: Columns, *, is_data: bool) -> Columns:
        """Give the stored columns with the energies of objects corrected."""

    def shift(self, name: str, columns: Columns, pull: float) -> Columns:
        """Give corrected columns with one correction of objects moved by `pull` σ."""

    def weigh(
        self,
        dataset: str,
        columns: Columns,
        quantities: Columns,
        names: Sequence[str] | None = None,
    ) -> Columns:
        """Give the factor of each correction of weights (of `names`), shape (n,) each."""

    @property
    def weighted(self) -> Sequence[str]:
        """Names of the corrections of weights."""

    @property
    def groups(self) -> Sequence[CorrectionGroup]:
        """Corrections of weights by what they depend on."""

    def vary(
        self, name: str, dataset: str, columns: Columns, quantities: Columns, pull: float
    ) -> NDArray[Any]:
        """Give the factor of one correction at `pull` σ, shape (n,)."""


@dataclass(frozen=True)
class Analysis:
    """Definitions of an analysis.

    Attributes
    ----------
    name
        Name of the analysis.
    trigger_branches
        Branches read first; they decide which events are read further.
    branches
        Branches needed of data and simulation, after the trigger.
    simulation_branches
        Branches needed of simulation only.
    optional_branches
        Branches read where they exist.
    columns
        Columns of the skim.
    quantities
        Name → quantity available to cuts, features and observables.
    shifts
        Name → kinematic shift.
    preselect
        ``(columns, context) -> mask`` on the first-stage branches, shape (n,) each.
    select
        ``(events, context) -> (columns, cuts)``: skim columns of the surviving events
        and, in order, (name of cut, mask over the events handed in).
    compute
        ``columns -> quantities`` for every event, plus ``passes``: true where the nominal
        thresholds are met.
    flat
        ``(arrays, context) -> columns`` reading an already skimmed flat ntuple, or None.
    flat_branches
        Branches of such a file.
    alternatives
        Branch → where else it may come from in files of another NanoAOD version.
    recompute
        ``(columns, known, unchanged) -> quantities`` as ``compute``, for events of which the
        quantities `known` were computed from columns that differ in all but the names
        `unchanged`; None if nothing can be saved.
    parts
        Columns of each part of the quantities: `recompute` runs a part again only if one of its
        columns has changed.
    event_numbers
        Branches of `branches` that number an event: run, luminosity block and event. Where one of
        them is not read, an event is known by its `event_hash`.
    objects
        How the objects of stored events are selected; None where nobody said.
    corrections
        Corrections of the nominal simulation, which every reader of events applies; None for none.
    fingerprint
        Further branches with one value an event, which two simulated events with the same numbers
        do not share: the jobs of a production may number their events alike.
    late
        Name → expression of quantities that need the scores of the networks.
    """

    name: str
    trigger_branches: tuple[str, ...]
    branches: tuple[str, ...]
    simulation_branches: tuple[str, ...]
    optional_branches: tuple[str, ...]
    columns: tuple[Column, ...]
    quantities: Mapping[str, Quantity]
    shifts: Mapping[str, Shift]
    preselect: Callable[[Columns, SkimContext], NDArray[Any]]
    select: Callable[[EventBlock, SkimContext], tuple[SkimColumns, list[tuple[str, NDArray[Any]]]]]
    compute: Callable[[Columns], dict[str, NDArray[Any]]]
    flat: Callable[[Columns, SkimContext], SkimColumns] | None = None
    flat_branches: tuple[str, ...] = field(default=())
    alternatives: Alternatives = field(default_factory=dict)
    recompute: (
        Callable[[Columns, Mapping[str, NDArray[Any]], frozenset[str]], dict[str, NDArray[Any]]]
        | None
    ) = None
    parts: tuple[frozenset[str], ...] = ()
    event_numbers: tuple[str, ...] = ("run", "luminosityBlock", "event")
    fingerprint: tuple[str, ...] = ()
    objects: StoredObjects | None = None
    corrections: AppliedCorrections | None = None
    late: Mapping[str, Expression] = field(default_factory=dict)

    def is_late(self, name: str) -> bool:
        """Tell whether a quantity is known only after the networks were asked."""
        return is_score(name) or name in self.late

    def add_late(self, quantities: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Give quantities (n,), the scores among them, with those that are made of scores."""
        found = dict(quantities)
        for name, expression in self.late.items():
            found[name] = np.asarray(expression.evaluate(found), np.float64)
        return found
