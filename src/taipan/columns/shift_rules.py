"""Declaring kinematic shifts where a collection is selected: ``shifts={"muon_pt": scale()}``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from taipan.columns import shifts
from taipan.columns.shifts import Balance, Columns


@dataclass(frozen=True)
class Rule:
    """A shift before it is known what else there is in an event.

    Attributes
    ----------
    kind
        ``scale``, ``smear``, ``unclustered``, or ``own``: a function of the analysis.
    meaning
        What is shifted; made up if empty.
    where
        Fields and their values: other objects are left alone.
    eta
        Range of |η|, of jets.
    loosens
        Whether thresholds of the skim are loosened for it.
    propagate
        Whether the missing momentum balances it.
    collection
        What is shifted.
    own, reads
        Function of an analysis, (columns, size) → columns, and the columns that it looks at.
    limit
        Sizes are below it.
    """

    kind: str
    meaning: str = ""
    where: tuple[tuple[str, tuple[float, ...]], ...] = ()
    eta: tuple[float, float] | None = None
    loosens: bool = False
    propagate: bool = True
    collection: str = ""
    own: Callable[[Columns, float], Columns] | None = None
    reads: tuple[str, ...] = ()
    limit: float = 1.0

    def of(self, collection: str) -> Rule:
        """Return the same shift of a collection."""
        return replace(self, collection=collection)

    @property
    def envelope(self) -> str | None:
        """Key of ``skim.envelope``, None if no threshold is loosened."""
        return f"{self.collection.lower()}_pt" if self.loosens else None

    @property
    def power(self) -> float:
        """Power of the pull that its size grows with: a resolution adds in quadrature."""
        return 0.5 if self.kind == "smear" else 1.0

    def function(self, balance: Balance) -> Callable[[Columns, float], Columns]:
        """Return the shift as a function of stored columns and size."""
        if self.own is not None:
            return self.own
        balance = self._reach(balance)
        if self.kind == "unclustered":
            return partial(shifts.scale_unclustered, balance=balance)
        if self.kind == "smear":
            return partial(shifts.smear_jets, balance=balance)
        if self.collection == balance.jets:
            return partial(shifts.scale_jets, balance=balance, eta=self.eta or (0.0, math.inf))
        return partial(
            shifts.scale_objects,
            collection=self.collection,
            missing=balance.missing,
            where=self.where,
        )

    def columns(self, balance: Balance) -> tuple[str, ...]:
        """List the columns that it needs."""
        if self.own is not None:
            return self.reads
        balance = self._reach(balance)
        of_jets = self.collection == balance.jets
        if self.kind == "unclustered" or (of_jets and balance.missing is not None):
            groups = (*balance.objects, *((balance.jets,) if balance.jets else ()))
            needed = [f"{group}_{name}" for group in groups for name in ("pt", "eta", "phi")]
        else:
            direction = ("phi",) if balance.missing is not None else ("eta",) if self.eta else ()
            needed = [f"{self.collection}_{name}" for name in ("pt", *direction)]
        needed += [f"{self.collection}_{field}" for field, _ in self.where]
        if balance.missing is not None:
            needed += [f"{balance.missing}_{name}" for name in ("pt", "phi")]
        return tuple(needed)

    def _reach(self, balance: Balance) -> Balance:
        """Leave the missing momentum out where this shift does not reach it."""
        return balance if self.propagate else replace(balance, missing=None)

    def describe(self, balance: Balance) -> str:
        """Say what is shifted."""
        if self.meaning:
            return self.meaning
        if self.kind == "unclustered":
            return "unclustered part of the missing momentum"
        what = "pT smeared (one-sided)" if self.kind == "smear" else "energy"
        said = f"{self.collection} {what}"
        for field, values in self.where:
            said += f", {field} {', '.join(f'{value:g}' for value in values)}"
        if self.eta is not None:
            said += f", {self.eta[0]} ≤ |η| < {self.eta[1]}"
        return said + (
            "" if self._reach(balance).missing is None else ", propagated to the missing momentum"
        )


def scale(
    *,
    where: Mapping[str, Sequence[float]] | tuple[str, Sequence[float]] | None = None,
    eta: tuple[float, float] | None = None,
    loosens: bool = True,
    propagate: bool = True,
    meaning: str = "",
) -> Rule:
    """Scale pT and mass of electrons, muons, taus, photons, jets or fat jets.

    Parameters
    ----------
    where
        Fields and the values of those that are scaled, such as ``{"decayMode": (1, 2)}``; a pair
        of one field and its values does, too.
    eta
        Of jets: range of |η| of those that are scaled.
    loosens
        False where the skim stores objects far below every threshold anyway.
    propagate
        False where the missing momentum has nothing to balance, such as for fat jets. It stays
        out, too, where nothing in the analysis uses it.
    meaning
        What it is, for ``taipan quantities``.
    """
    fields = dict([where]) if isinstance(where, tuple) else where or {}
    chosen = tuple((field, tuple(values)) for field, values in fields.items())
    return Rule("scale", meaning, chosen, eta, loosens, propagate)


def own_shift(
    function: Callable[[Columns, float], Columns],
    *,
    reads: Sequence[str],
    meaning: str,
    loosens: bool = False,
    limit: float = 1.0,
) -> Rule:
    """Shift stored columns with a function of the analysis.

    Parameters
    ----------
    function
        ``(columns, size) -> columns``: columns have one value an event, or objects in rows padded
        with NaN. It changes no array in place, and size 0 changes nothing.
    reads
        Columns that it looks at.
    meaning
        What it is, for ``taipan quantities``.
    loosens
        Whether thresholds of the skim are loosened by its size.
    limit
        Sizes are below it: 1 for relative changes.
    """
    return Rule("own", meaning, loosens=loosens, own=function, reads=tuple(reads), limit=limit)


def smear(*, meaning: str = "") -> Rule:
    """Smear pT and mass of jets by a normal number times the size; one-sided."""
    return Rule("smear", meaning)


def unclustered(*, meaning: str = "") -> Rule:
    """Scale the part of the missing momentum that belongs to no object or jet."""
    return Rule("unclustered", meaning)
