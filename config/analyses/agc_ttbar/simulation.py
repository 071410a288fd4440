"""A small simulation of tt̄, single top and W+jets at 13 TeV, so that nothing must be downloaded.

Partons are drawn from simple spectra and decayed, every quark becomes a jet, jets of the initial
state are added, and a smearing stands for the detector. The branches are those of the 2015 CMS Open
Data in NanoAOD that the Analysis Grand Challenge reads. W+jets has three further partons in each
event: the catalogue has that fraction of the cross section as ``filter_efficiency``.

Momenta and masses are in GeV, angles in rad.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from taipan.atomic import write_json
from taipan.fastsim.decays import MASS_B, MASS_TOP, MASS_W, draw_breit_wigner
from taipan.fastsim.event_table import Collection, EventTable, keep_filled, sort_by_pt
from taipan.fastsim.kinematics import Floats, FourMomentum, decay_in_two, from_transverse
from taipan.fastsim.root_file import write_tree
from taipan.fastsim.seeding import generator_for

W_WITH_THREE_PARTONS = 0.02  # of W → ℓν, an assumption
PROCESSES = {
    "ttbar": 729.84,
    "wjets": 15487.164 * W_WITH_THREE_PARTONS,
    "single_top_t_chan": 234.79365,
    "single_top_tW": 75.842,
    "single_top_s_chan": 3.2944,
}
"""Process → cross section of what is made, in pb; sources in datasets/simulation.yaml."""
DATA = "pseudodata"
VARIED = {
    "ttbar_scaleup": {"initial": 1.15, "top_pt": 0.99},
    "ttbar_scaledown": {"initial": 0.85, "top_pt": 1.01},
    "ttbar_ME_var": {"initial": 1.05, "top_pt": 0.97},
    "ttbar_PS_var": {"initial": 1.10, "top_pt": 1.00},
}
"""Alternative dataset of tt̄ → factors on the number of initial-state jets and on the tops' pT."""
DATASETS = (*PROCESSES, *VARIED, DATA)
BATCH = 50_000
# P(b-tag discriminator > 0.5) is 1 - 0.5^(1/a) for u^a with uniform u: 72 %, 35 % and 10 %
TAG_POWER = {"b": 0.545, "c": 1.61, "light": 6.6}
LEPTONIC = 0.3258  # B(W → ℓν), all three flavours: Particle Data Group (2022)


@dataclass(frozen=True)
class Parton:
    """One parton or lepton an event: momentum, whether it is there, and what it is."""

    momentum: FourMomentum
    there: Any
    kind: Any  # "b", "c", "light", "e", "mu", each of shape (n,) or one for all


def write_dataset(dataset: str, path: Path, settings: Mapping[str, Any], seed: int) -> None:
    """Write the ROOT file of a dataset.

    Parameters
    ----------
    dataset
        One of ``DATASETS``.
    path
        File to write.
    settings
        ``luminosity`` of the pseudo-data in fb⁻¹, injected strength ``mu`` of tt̄, ``events`` of
        each simulated dataset.
    seed
        The seed of the configuration.
    """
    rng = generator_for(seed, "agc_ttbar", dataset)
    if dataset == DATA:
        names = list(PROCESSES)
        numbers = [
            int(rng.poisson(1000.0 * settings["luminosity"] * PROCESSES[name] * strength))
            for name in names
            for strength in [settings["mu"] if name == "ttbar" else 1.0]
        ]
    else:
        names = ["ttbar" if dataset in VARIED else dataset]
        numbers = [settings["events"][dataset]]
    factors = VARIED.get(dataset, {"initial": 1.0, "top_pt": 1.0})
    tables = _batches(rng, names, numbers, factors, dataset == DATA)
    write_tree(path, f"agc_ttbar/{dataset}/{seed}", tables)


def write_truth(path: Path, settings: Mapping[str, Any], seed: int) -> None:
    """Write what was put into the pseudo-data: luminosity, and strength of tt̄."""
    write_json(path, {"seed": seed, "mu": settings["mu"], "luminosity": settings["luminosity"]})


def _batches(
    rng: np.random.Generator,
    names: list[str],
    numbers: list[int],
    factors: Mapping[str, float],
    is_data: bool,
) -> Any:
    first = 0
    for name, number in zip(names, numbers, strict=True):
        for start in range(0, max(number, 1), BATCH):
            n = min(BATCH, number - start)
            if n or len(names) == 1:
                yield _make_events(rng, name, n, factors, first, is_data)
            first += n


def _make_events(
    rng: np.random.Generator,
    process: str,
    n: int,
    factors: Mapping[str, float],
    first: int,
    is_data: bool,
) -> EventTable:
    """Make events of one process, numbered from `first`."""
    if process == "ttbar":
        partons = _pair_of_tops(rng, n, factors["top_pt"])
    elif process == "wjets":
        partons = _w_and_partons(rng, n)
    else:
        partons = _single_top(rng, n, process)
    number = rng.poisson(1.1 * factors["initial"], n)
    for i in range(5):
        partons.append(Parton(_radiated(rng, n, 34.0), number > i, "light"))
    tables = _detect(rng, partons, n)
    identity = first + np.arange(n)
    scalars = {
        "run": np.full(n, 256630 if is_data else 1, dtype=np.uint32),
        "luminosityBlock": (1 + identity // 500).astype(np.uint32),
        "event": (1 + identity).astype(np.uint64),
        "PV_npvs": np.maximum(1, rng.poisson(12.0, n)).astype(np.int32),
        **tables["MET"],
    }
    if not is_data:
        scalars["genWeight"] = np.ones(n, dtype=np.float32)
    return EventTable(scalars, {name: tables[name] for name in ("Electron", "Muon", "Jet")})


def _radiated(rng: np.random.Generator, n: int, slope: float, least: float = 15.0) -> FourMomentum:
    """Draw a parton of the initial state: falling pT, flat in azimuth."""
    pt, phi = least + rng.exponential(slope, n), rng.uniform(-np.pi, np.pi, n)
    eta = np.clip(rng.normal(0.0, 1.8, n), -4.5, 4.5)
    return from_transverse(pt * np.cos(phi), pt * np.sin(phi), eta, np.full(n, 0.05))


def _isotropic(
    rng: np.random.Generator, parent: FourMomentum, mass_1: Any, mass_2: Any
) -> tuple[FourMomentum, FourMomentum]:
    n = len(parent.px)
    cosine, phi = rng.uniform(-1.0, 1.0, n), rng.uniform(-np.pi, np.pi, n)
    return decay_in_two(parent, mass_1, mass_2, cosine, phi)


def _decay_top(rng: np.random.Generator, top: FourMomentum) -> list[Parton]:
    n = len(top.px)
    mass_w = np.minimum(draw_breit_wigner(rng, n, MASS_W, 2.085, 50.0, 110.0), top.mass - 10.0)
    w, b = _isotropic(rng, top, mass_w, MASS_B)
    return [Parton(b, np.ones(n, dtype=bool), "b"), *_decay_w(rng, w)]


def _decay_w(rng: np.random.Generator, w: FourMomentum, leptonic: Any = None) -> list[Parton]:
    """Decay a W to two quarks, or to a lepton and a neutrino, which leaves no parton."""
    n = len(w.px)
    first, second = _isotropic(rng, w, 0.0, 0.0)
    to_lepton = rng.random(n) < LEPTONIC if leptonic is None else np.full(n, leptonic)
    flavour = rng.choice(np.array(["e", "mu", "tau"]), n)
    is_tau = flavour == "tau"
    fraction = np.where(is_tau, rng.beta(1.3, 1.7, n), 1.0)
    kind = np.where(is_tau, np.where(rng.random(n) < 0.5, "e", "mu"), flavour)
    # a tau gives an electron or a muon in 35 % of its decays, else a jet
    seen = to_lepton & (~is_tau | (rng.random(n) < 0.352))
    lepton = FourMomentum(*(fraction * getattr(first, k) for k in ("px", "py", "pz", "energy")))
    charm = np.where(rng.random(n) < 0.5, "c", "light")
    return [
        Parton(lepton, seen, kind),
        Parton(lepton, to_lepton & ~seen, "light"),
        Parton(first, ~to_lepton, charm),
        Parton(second, ~to_lepton, "light"),
    ]


def _top(rng: np.random.Generator, pt: Floats, phi: Floats, rapidity: Floats) -> FourMomentum:
    mass = draw_breit_wigner(rng, len(pt), MASS_TOP, 1.4, 150.0, 195.0)
    return from_transverse(pt * np.cos(phi), pt * np.sin(phi), rapidity, mass)


def _pair_of_tops(rng: np.random.Generator, n: int, scale: float) -> list[Parton]:
    """Draw two tops back to back, and a kick of both."""
    pt, phi = scale * rng.gamma(2.0, 58.0, n), rng.uniform(-np.pi, np.pi, n)
    centre, distance = rng.normal(0.0, 0.8, n), rng.normal(0.0, 0.7, n)
    tops = (
        _top(rng, pt, phi, centre + distance),
        _top(rng, pt * rng.normal(1.0, 0.15, n), phi + np.pi, centre - distance),
    )
    return [parton for top in tops for parton in _decay_top(rng, top)]


def _single_top(rng: np.random.Generator, n: int, process: str) -> list[Parton]:
    pt, phi = rng.gamma(1.8, 40.0, n), rng.uniform(-np.pi, np.pi, n)
    partons = _decay_top(rng, _top(rng, pt, phi, rng.normal(0.0, 1.2, n)))
    always = np.ones(n, dtype=bool)
    if process == "single_top_tW":
        mass = draw_breit_wigner(rng, n, MASS_W, 2.085, 50.0, 110.0)
        w = from_transverse(-pt * np.cos(phi), -pt * np.sin(phi), rng.normal(0.0, 1.2, n), mass)
        return [*partons, *_decay_w(rng, w)]
    kind = "b" if process == "single_top_s_chan" else "light"
    return [*partons, Parton(_radiated(rng, n, 30.0, 20.0), always, kind)]


def _w_and_partons(rng: np.random.Generator, n: int) -> list[Parton]:
    """Draw a leptonic W recoiling against three partons, a few of them heavy quarks."""
    always = np.ones(n, dtype=bool)
    partons = []
    for _ in range(3):
        u = rng.random(n)
        kind = np.where(u < 0.05, "b", np.where(u < 0.15, "c", "light"))
        partons.append(Parton(_radiated(rng, n, 32.0, 20.0), always, kind))
    total = sum((parton.momentum for parton in partons[1:]), start=partons[0].momentum)
    mass = draw_breit_wigner(rng, n, MASS_W, 2.085, 50.0, 110.0)
    w = from_transverse(-total.px, -total.py, rng.normal(0.0, 1.4, n), mass)
    return [*_decay_w(rng, w, leptonic=True), *partons]


def _detect(rng: np.random.Generator, partons: list[Parton], n: int) -> dict[str, Any]:
    """Measure partons and leptons: columns with a slot each, then lists sorted by pT."""
    kind = np.stack([np.broadcast_to(np.asarray(p.kind), n) for p in partons], axis=1)
    there = np.stack([p.there for p in partons], axis=1)
    pt, eta, phi = (
        np.stack([getattr(p.momentum, name) for p in partons], axis=1)
        for name in ("pt", "eta", "phi")
    )
    lepton = (kind == "e") | (kind == "mu")
    shape = pt.shape
    resolution = np.where(lepton, 0.015, np.sqrt(0.06**2 + 1.0 / np.maximum(pt, 1.0)) * 0.9)
    measured = pt * np.maximum(1.0 + resolution * rng.standard_normal(shape), 0.05)
    x, y = (
        -np.sum(np.where(there, measured * f(phi), 0.0), axis=1) + rng.normal(0.0, 12.0, n)
        for f in (np.cos, np.sin)
    )
    inside = there & (np.abs(eta) < np.where(lepton, 2.5, 4.7))
    common = {"pt": measured, "eta": eta, "phi": phi}
    sip3d = np.abs(rng.normal(0.0, 1.3, shape))
    electrons = {
        **common,
        "mass": np.full(shape, 0.000511),
        "cutBased": rng.choice(np.array([2, 3, 4]), shape, p=[0.12, 0.13, 0.75]),
        "sip3d": sip3d,
    }
    muons = {
        **common,
        "mass": np.full(shape, 0.10566),
        "tightId": rng.random(shape) < 0.96,
        "sip3d": sip3d,
        "pfRelIso04_all": rng.exponential(0.035, shape),
    }
    power = np.select(
        [kind == "b", kind == "c"], [TAG_POWER["b"], TAG_POWER["c"]], TAG_POWER["light"]
    )
    # a lepton is a jet, too, which the identification with lepton veto (bit 2) refuses
    identified = np.where(rng.random(shape) < 0.98, np.where(lepton, 2, 6), 0)
    jets = {
        **common,
        "mass": measured * (0.08 + 0.1 * rng.random(shape)),
        "btagCSVV2": rng.random(shape) ** power,
        "jetId": identified,
    }
    found = rng.random(shape) < 0.93
    return {
        "Electron": _lists(electrons, inside & found & (kind == "e") & (measured > 5.0)),
        "Muon": _lists(muons, inside & found & (kind == "mu") & (measured > 3.0)),
        "Jet": _lists(jets, inside & (measured > 15.0)),
        "MET": {
            "MET_pt": np.hypot(x, y).astype(np.float32),
            "MET_phi": np.arctan2(y, x).astype(np.float32),
        },
    }


def _lists(columns: Mapping[str, Any], filled: Any) -> Collection:
    types = {"cutBased": np.int32, "tightId": np.bool_, "jetId": np.int32}
    typed = {name: values.astype(types.get(name, np.float32)) for name, values in columns.items()}
    return keep_filled(typed, sort_by_pt(typed["pt"]), filled)
