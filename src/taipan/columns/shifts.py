"""Kinematic shifts of objects and of unclustered momentum, propagated to the missing momentum.

Each is a pure function of the stored columns; a size of zero returns them as they are. The missing
momentum balances what was shifted: objects + jets + unclustered + missing momentum stays zero.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.columns.identity import GOLDEN_GAMMA, finalise
from taipan.kinematics import delta_r

Array = NDArray[Any]
Columns = Mapping[str, NDArray[Any]]

SOFT_JET_PT = 15.0
"""Jets above this pT (GeV) carry the jet energy scale into the MET, as CMS propagates it (JINST 10
(2015) P02006); softer ones count as unclustered."""
CONE = 0.5
"""ΔR within which a jet is an object that is counted already: the radius of the jets of 2012."""


@dataclass(frozen=True)
class Balance:
    """What the momentum of an event is made of.

    Attributes
    ----------
    missing
        Group of the missing momentum; None: nothing uses it, so nothing balances a shift.
    objects
        Collections of leptons, photons and taus.
    jets
        Collection of jets, of which those near an object are that object again; None: no jets.
    """

    missing: str | None = "MET"
    objects: tuple[str, ...] = ()
    jets: str | None = None


def _sum_xy(columns: Columns, collection: str, keep: Array | None = None) -> tuple[Array, Array]:
    """Vector sum of transverse momenta of a collection, shape (n,) each."""
    pt, phi = columns[f"{collection}_pt"], columns[f"{collection}_phi"]
    weight = np.where(np.isnan(pt), 0.0, pt) if keep is None else np.where(keep, pt, 0.0)
    angle = np.nan_to_num(phi)
    return (weight * np.cos(angle)).sum(axis=1), (weight * np.sin(angle)).sum(axis=1)


def _shifted_met(columns: Columns, missing: str, dx: Array, dy: Array) -> dict[str, Array]:
    """Missing momentum after the visible momentum changed by (dx, dy)."""
    pt, phi = columns[f"{missing}_pt"], columns[f"{missing}_phi"]
    x, y = pt * np.cos(phi) - dx, pt * np.sin(phi) - dy
    moved = (dx != 0) | (dy != 0)  # else rounding alone would change the event
    return {
        f"{missing}_pt": np.where(moved, np.hypot(x, y), pt),
        f"{missing}_phi": np.where(moved, np.arctan2(y, x), phi),
    }


def _isolated_jets(columns: Columns, balance: Balance) -> Array:
    """Jets above the soft threshold away from every object, shape (n, jets).

    The last answer is kept, for as long as its jets exist: all shifts of the jets of a dataset ask
    for the same one.
    """
    pt = columns[f"{balance.jets}_pt"]
    kept = _LAST.get(id(pt))
    if kept is not None and kept[0]() is pt:
        return kept[1]
    keep = pt > SOFT_JET_PT
    rows, positions = np.nonzero(keep)
    eta, phi = (columns[f"{balance.jets}_{name}"][rows, positions] for name in ("eta", "phi"))
    alone = np.ones(len(rows), dtype=bool)
    for collection in balance.objects:
        for i in range(columns[f"{collection}_eta"].shape[1]):
            other = (columns[f"{collection}_{name}"][rows, i] for name in ("eta", "phi"))
            # a padded object is at NaN, near nothing
            alone &= ~(delta_r(eta, phi, *other) < CONE)
    keep[rows, positions] = alone
    keep.setflags(write=False)
    _LAST.clear()
    _LAST[id(pt)] = (weakref.ref(pt), keep)
    return keep


_LAST: dict[int, tuple[weakref.ref[Array], Array]] = {}


def scale_objects(
    columns: Columns,
    size: float,
    *,
    collection: str,
    missing: str | None,
    where: Sequence[tuple[str, Sequence[float]]] = (),
) -> Columns:
    """Scale pT and mass of the objects of a collection by 1 + `size`.

    Parameters
    ----------
    columns, size
        Stored columns; relative size.
    collection
        Electrons, muons, taus, photons, fat jets.
    missing
        Missing momentum that balances it, or None (fat jets hold what the jets hold).
    where
        Fields and their values: others are left alone, such as taus of another decay mode.
    """
    if size == 0.0:
        return columns
    chosen = None
    for field, values in where:
        found = np.isin(columns[f"{collection}_{field}"], values)
        chosen = found if chosen is None else chosen & found
    factor = 1.0 + (size if chosen is None else np.where(chosen, np.float32(size), np.float32(0.0)))
    names = [name for name in ("pt", "mass") if f"{collection}_{name}" in columns]
    scaled = {f"{collection}_{name}": columns[f"{collection}_{name}"] * factor for name in names}
    if missing is None:
        return {**columns, **scaled}
    x, y = _sum_xy(columns, collection, chosen)
    return {**columns, **scaled, **_shifted_met(columns, missing, size * x, size * y)}


def scale_jets(
    columns: Columns,
    size: float,
    *,
    balance: Balance,
    eta: tuple[float, float] = (0.0, np.inf),
) -> Columns:
    """Scale all jets with low ≤ |η| < high; those away from objects change the missing momentum."""
    if size == 0.0:
        return columns
    pseudorapidity = np.abs(columns[f"{balance.jets}_eta"])
    chosen = (pseudorapidity >= eta[0]) & (pseudorapidity < eta[1])
    return _rescale_jets(columns, np.where(chosen, size, 0.0), balance)


def smear_jets(columns: Columns, size: float, *, balance: Balance) -> Columns:
    """Smear the jets: each pT is multiplied by 1 + `size` times a standard normal number.

    The number is made of the event's hash and the jet's position, so that it is the same in
    every run and order of events. Only broader resolutions can be made: one-sided.
    """
    if size == 0.0:
        return columns
    from scipy.special import ndtri

    n, jets = columns[f"{balance.jets}_pt"].shape
    state: Array = columns["event_hash"].astype(np.uint64)[:, None]
    state = state + np.arange(1, jets + 1, dtype=np.uint64) * GOLDEN_GAMMA
    uniform = (finalise(state) >> np.uint64(11)).astype(np.float64) / 2.0**53
    normal = ndtri(np.clip(uniform, 1e-12, 1.0 - 1e-12))
    return _rescale_jets(columns, np.maximum(size * normal, -0.9).reshape(n, jets), balance)


def _rescale_jets(columns: Columns, change: Array, balance: Balance) -> Columns:
    """Multiply pT and mass of each jet by 1 + `change`, shape (n, jets)."""
    factor = (1.0 + change).astype(np.float32)
    names = [f"{balance.jets}_{name}" for name in ("pt", "mass")]
    scaled = {name: columns[name] * factor for name in names if name in columns}
    if balance.missing is None:
        return {**columns, **scaled}
    pt, phi = columns[f"{balance.jets}_pt"], columns[f"{balance.jets}_phi"]
    moved = np.where(_isolated_jets(columns, balance), pt * change, 0.0)
    angle = np.nan_to_num(phi)
    dx, dy = (moved * np.cos(angle)).sum(axis=1), (moved * np.sin(angle)).sum(axis=1)
    return {**columns, **scaled, **_shifted_met(columns, balance.missing, dx, dy)}


def rescale(columns: Columns, collection: str, change: Array, balance: Balance) -> Columns:
    """Multiply pT and mass of each object of a collection by 1 + `change`, shape (n, objects).

    The missing momentum balances it: of jets, those away from other objects.
    """
    if collection == balance.jets:
        return _rescale_jets(columns, change, balance)
    factor = (1.0 + change).astype(np.float32)
    names = [f"{collection}_{name}" for name in ("pt", "mass")]
    scaled = {name: columns[name] * factor for name in names if name in columns}
    if balance.missing is None or collection not in balance.objects:
        return {**columns, **scaled}
    moved = columns[f"{collection}_pt"] * change
    angle = columns[f"{collection}_phi"]
    dx, dy = np.nansum(moved * np.cos(angle), axis=1), np.nansum(moved * np.sin(angle), axis=1)
    return {**columns, **scaled, **_shifted_met(columns, balance.missing, dx, dy)}


def scale_unclustered(columns: Columns, size: float, *, balance: Balance) -> Columns:
    """Scale the momentum that belongs to no object or jet; only the missing momentum changes."""
    if size == 0.0 or balance.missing is None:
        return columns
    pt, phi = columns[f"{balance.missing}_pt"], columns[f"{balance.missing}_phi"]
    x, y = -pt * np.cos(phi), -pt * np.sin(phi)
    groups: list[tuple[str, Array | None]] = [(name, None) for name in balance.objects]
    if balance.jets is not None:
        groups.append((balance.jets, _isolated_jets(columns, balance)))
    for collection, keep in groups:
        dx, dy = _sum_xy(columns, collection, keep)
        x, y = x - dx, y - dy
    return {**columns, **_shifted_met(columns, balance.missing, size * x, size * y)}
