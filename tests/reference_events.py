"""The H→ττ analysis event by event, in plain Python: a second opinion on the package's arrays.

Written from the description of the selection, the quantities and the shifts
(`docs/systematics.md`, docstrings), with `math` alone. Nothing of the package is used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

MODES = {"tau_pt_1prong": (0,), "tau_pt_1prong_pi0": (1, 2), "tau_pt_3prong": (10,)}
RANGES = {
    "jet_pt": (0.0, math.inf),
    "jet_pt_barrel": (0.0, 1.3),
    "jet_pt_endcap": (1.3, 3.0),
    "jet_pt_forward": (3.0, 4.7),
}


@dataclass(frozen=True)
class Thing:
    """A muon, tau or jet."""

    pt: float
    eta: float
    phi: float
    mass: float
    charge: int = 0
    isolation: float = 0.0
    mode: int = 0
    genuine: bool = False

    @property
    def x(self) -> float:
        return self.pt * math.cos(self.phi)

    @property
    def y(self) -> float:
        return self.pt * math.sin(self.phi)

    def scaled(self, factor: float) -> Thing:
        return replace(self, pt=self.pt * factor, mass=self.mass * factor)


@dataclass(frozen=True)
class Event:
    """An event of the skim."""

    muons: tuple[Thing, ...]
    taus: tuple[Thing, ...]
    jets: tuple[Thing, ...]
    met: float
    phi_met: float
    identity: int
    unstored: int

    def with_met_less(self, x: float, y: float) -> Event:
        """The event after the visible momentum has grown by (x, y)."""
        new_x = self.met * math.cos(self.phi_met) - x
        new_y = self.met * math.sin(self.phi_met) - y
        return replace(self, met=math.hypot(new_x, new_y), phi_met=math.atan2(new_y, new_x))


def read_event(columns: Mapping[str, Any], row: int) -> Event:
    """Take an event out of the columns of a skim."""

    def things(kind: str, **more: str) -> tuple[Thing, ...]:
        found = []
        for i in range(columns[f"{kind}_pt"].shape[1]):
            pt = float(columns[f"{kind}_pt"][row, i])
            if math.isnan(pt):
                continue
            names = {name: name for name in ("eta", "phi", "mass")} | more
            values = {key: columns[f"{kind}_{name}"][row, i] for key, name in names.items()}
            kinds = {"charge": int, "mode": int, "genuine": bool}
            found.append(Thing(pt, **{k: kinds.get(k, float)(v) for k, v in values.items()}))
        return tuple(found)

    return Event(
        things("Muon", charge="charge", isolation="pfRelIso03_all", genuine="genuine"),
        things("Tau", charge="charge", isolation="relIso_all", mode="decayMode", genuine="genuine"),
        things("Jet"),
        float(columns["MET_pt"][row]),
        float(columns["MET_phi"][row]),
        int(columns["event_hash"][row]),
        int(columns["n_jets_unstored"][row]),
    )


def turn(a: float, b: float) -> float:
    """Difference of two azimuths between -π and π."""
    return math.remainder(a - b, math.tau)


def distance(a: Thing, b: Thing) -> float:
    return math.hypot(a.eta - b.eta, turn(a.phi, b.phi))


def away(event: Event) -> list[bool]:
    """Jets above 15 GeV that are no muon or tau of the event."""
    legs = (*event.muons, *event.taus)
    return [jet.pt > 15.0 and all(distance(jet, leg) >= 0.5 for leg in legs) for jet in event.jets]


def splitmix64(seed: int, number: int) -> list[int]:
    """First numbers of Steele, Lea and Flood's generator."""
    state, found = seed, []
    for _ in range(number):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        found.append(z ^ (z >> 31))
    return found


def shift(event: Event, name: str, size: float) -> Event:
    """Shift an event; the missing momentum balances what changed."""
    if name == "muon_pt":
        moved = event.with_met_less(
            size * sum(m.x for m in event.muons), size * sum(m.y for m in event.muons)
        )
        return replace(moved, muons=tuple(m.scaled(1.0 + size) for m in event.muons))
    if name == "tau_pt" or name in MODES:
        chosen = [name == "tau_pt" or (t.genuine and t.mode in MODES[name]) for t in event.taus]
        picked = [t for t, c in zip(event.taus, chosen, strict=True) if c]
        moved = event.with_met_less(
            size * sum(t.x for t in picked), size * sum(t.y for t in picked)
        )
        taus = (t.scaled(1.0 + size) if c else t for t, c in zip(event.taus, chosen, strict=True))
        return replace(moved, taus=tuple(taus))
    counted = away(event)
    if name == "met_unclustered":
        listed = [*event.muons, *event.taus]
        listed += [j for j, c in zip(event.jets, counted, strict=True) if c]
        x = -event.met * math.cos(event.phi_met) - sum(o.x for o in listed)
        y = -event.met * math.sin(event.phi_met) - sum(o.y for o in listed)
        return event.with_met_less(size * x, size * y)
    if name == "jet_resolution":
        numbers = splitmix64(event.identity, len(event.jets))
        uniform = [min(max((n >> 11) / 2.0**53, 1e-12), 1.0 - 1e-12) for n in numbers]
        changes = [max(size * NormalDist().inv_cdf(u), -0.9) for u in uniform]
    else:
        low, high = RANGES[name]
        changes = [size if low <= abs(j.eta) < high else 0.0 for j in event.jets]
    pairs = list(zip(event.jets, changes, counted, strict=True))
    moved = event.with_met_less(
        sum(c * j.x for j, c, used in pairs if used), sum(c * j.y for j, c, used in pairs if used)
    )
    return replace(moved, jets=tuple(j.scaled(1.0 + c) for j, c, _ in pairs))


def choose_pair(event: Event) -> tuple[Thing, Thing] | None:
    """Muon of highest pT, then the best isolated tau, among pairs at least 0.5 apart."""
    pairs = [
        (muon, tau)
        for muon in event.muons
        for tau in event.taus
        if muon.pt > 17.0 and tau.pt > 20.0 and distance(muon, tau) > 0.5
    ]
    return min(pairs, key=lambda pair: (-pair[0].pt, pair[1].isolation)) if pairs else None


def four(thing: Thing) -> tuple[float, float, float, float]:
    z = thing.pt * math.sinh(thing.eta)
    energy = math.sqrt(thing.pt**2 + z**2 + thing.mass**2)
    return thing.x, thing.y, z, energy


def mass(*things: Thing) -> float:
    x, y, z, energy = (sum(parts) for parts in zip(*map(four, things), strict=True))
    return math.sqrt(max(energy**2 - x**2 - y**2 - z**2, 0.0))


def transverse(pt: float, phi: float, other: float, phi_other: float) -> float:
    return math.sqrt(2.0 * pt * other * (1.0 - math.cos(turn(phi, phi_other))))


def quantities(event: Event) -> dict[str, float] | None:
    """Quantities of an event; None if it has no pair."""
    pair = choose_pair(event)
    if pair is None:
        return None
    muon, tau = pair
    jets = [j for j in event.jets if j.pt > 30.0 and min(distance(j, leg) for leg in pair) > 0.5]
    jets.sort(key=lambda jet: -jet.pt)
    met_x, met_y = event.met * math.cos(event.phi_met), event.met * math.sin(event.phi_met)
    mt_1 = transverse(muon.pt, muon.phi, event.met, event.phi_met)
    mt_2 = transverse(tau.pt, tau.phi, event.met, event.phi_met)
    both = transverse(muon.pt, muon.phi, tau.pt, tau.phi)
    nan = math.nan
    found = {
        "met": event.met,
        "mt_1": mt_1,
        "mt_2": mt_2,
        "mt_tot": math.sqrt(mt_1**2 + mt_2**2 + both**2),
        "m_vis": mass(muon, tau),
        "pt_vis": math.hypot(muon.x + tau.x, muon.y + tau.y),
        "pt_tt": math.hypot(muon.x + tau.x + met_x, muon.y + tau.y + met_y),
        "delta_r": distance(muon, tau),
        "delta_eta": abs(muon.eta - tau.eta),
        "delta_phi": abs(turn(muon.phi, tau.phi)),
        "dm_2": tau.mode,
        "gen_match": float(muon.genuine and tau.genuine),
        "genuine_2": float(tau.genuine),
        "njets": len(jets) + event.unstored,
        "mjj": mass(*jets[:2]) if len(jets) > 1 else nan,
        "ptjj": math.hypot(sum(j.x for j in jets[:2]), sum(j.y for j in jets[:2]))
        if len(jets) > 1
        else nan,
        "jdeta": abs(jets[0].eta - jets[1].eta) if len(jets) > 1 else nan,
    }
    for leg, thing in ((1, muon), (2, tau)):
        found |= {f"pt_{leg}": thing.pt, f"eta_{leg}": thing.eta, f"phi_{leg}": thing.phi}
        found |= {f"m_{leg}": thing.mass, f"q_{leg}": thing.charge, f"iso_{leg}": thing.isolation}
        jet = jets[leg - 1] if len(jets) >= leg else Thing(nan, nan, nan, nan)
        found |= {f"jpt_{leg}": jet.pt, f"jeta_{leg}": jet.eta, f"jphi_{leg}": jet.phi}
        found[f"jm_{leg}"] = jet.mass
    return found


def logistic_score(features: Sequence[float], fold: int) -> float:
    """A number in (0, 1) that every feature and the fold change."""
    logit = sum(
        (-1.0) ** i * 0.9 * math.tanh(0.0 if math.isnan(x) else x / 60.0)
        for i, x in enumerate(features)
    )
    return 1.0 / (1.0 + math.exp(-(logit + 0.3 * fold)))
