"""A small simulation of dimuon events at 13 TeV, with the generated muons: something to unfold.

The pseudo-data hold Z → μμ and tt̄ → μμ as the luminosity asks for. Their Z bosons are softer than
the simulated ones: the exponential of their spectrum has a factor exp(-pT/``SOFTER``) at the same
rate, so that unfolding has something to find. Momenta and masses are in GeV, angles in rad.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from taipan.atomic import write_json
from taipan.fastsim.decays import draw_breit_wigner
from taipan.fastsim.event_table import Collection, EventTable
from taipan.fastsim.kinematics import FourMomentum, decay_in_two, from_transverse
from taipan.fastsim.root_file import write_tree
from taipan.fastsim.seeding import generator_for

PROCESSES = {"ZMM": 2025.74, "TT": 831.76 * 0.0161}
"""Process → cross section of events with two muons, in pb."""
DATASETS = {"DYJetsToLL": ("ZMM",), "TTbar": ("TT",), "SingleMuon": tuple(PROCESSES)}
"""Dataset → processes; the last one is the pseudo-data."""
DATA = "SingleMuon"
MASS_MUON = 0.10566
BATCH = 100_000
RESOLUTION = {"barrel": 0.011, "forward": 0.022}  # relative, of pT: CMS, JINST 13 (2018) P06015
HARD = 14.0  # GeV, mean of the exponential part of the simulated spectrum
SOFTER = 200.0


def write_dataset(dataset: str, path: Path, settings: Mapping[str, Any], seed: int) -> None:
    """Write the ROOT file of a dataset; the arguments are those of every simulation."""
    rng = generator_for(seed, "z_pt", dataset)
    processes = DATASETS[dataset]
    if dataset == DATA:
        strength = {"ZMM": settings["mu"], "TT": 1.0}
        expected = [1000.0 * settings["luminosity"] * PROCESSES[k] * strength[k] for k in processes]
        numbers = [int(rng.poisson(number)) for number in expected]
    else:
        numbers = [settings["events"][dataset]]
    order = rng.permutation(np.repeat(np.array(processes), numbers))
    tables = (
        _make_events(rng, order[start : start + BATCH], dataset == DATA, start)
        for start in range(0, max(len(order), 1), BATCH)
    )
    write_tree(path, f"zpt/{dataset}/{seed}", tables)


def write_truth(path: Path, settings: Mapping[str, Any], seed: int) -> None:
    """Write what was put into the pseudo-data: luminosity, and strength of Z → μμ."""
    write_json(path, {"seed": seed, "mu": settings["mu"], "luminosity": settings["luminosity"]})


def _make_events(rng: np.random.Generator, kind: Any, is_data: bool, first: int) -> EventTable:
    """Make one batch of events."""
    n = len(kind)
    legs = _muons_of(rng, kind, is_data)
    charge = np.where(rng.random(n) < 0.5, 1, -1)
    pt = np.stack([leg.pt for leg in legs], axis=1)
    eta, phi = (np.stack([getattr(leg, k) for leg in legs], axis=1) for k in ("eta", "phi"))
    width = np.where(np.abs(eta) < 1.2, RESOLUTION["barrel"], RESOLUTION["forward"])
    measured = pt * (1.0 + width * rng.standard_normal((n, 2)))
    found = (np.abs(eta) < 2.4) & (measured > 5.0) & (rng.random((n, 2)) < 0.98)
    tight = rng.random((n, 2)) < 0.965
    isolation = rng.exponential(0.03, (n, 2))
    fired = found & tight & (measured > 24.0) & (rng.random((n, 2)) < 0.9)
    muons = {
        **dict(zip(("pt", "eta", "phi"), (measured, eta, phi), strict=True)),
        "mass": np.full((n, 2), MASS_MUON),
        "pfRelIso04_all": isolation,
    }
    columns: dict[str, Any] = {k: v[found].astype(np.float32) for k, v in muons.items()}
    columns["charge"] = np.stack([charge, -charge], axis=1)[found].astype(np.int32)
    columns["tightId"] = tight[found]
    scalars = {
        "run": np.full(n, 273158 if is_data else 1, dtype=np.uint32),
        "luminosityBlock": (1 + (first + np.arange(n)) // 500).astype(np.uint32),
        "event": (1 + first + np.arange(n)).astype(np.uint64),
        "HLT_IsoMu24": fired.any(axis=1),
        "PV_npvs": np.maximum(1, rng.poisson(22.0, n)).astype(np.int32),
    }
    collections = {}
    if not is_data:
        scalars["genWeight"] = np.ones(n, dtype=np.float32)
        columns["genPartIdx"] = np.tile(np.arange(2), (n, 1))[found].astype(np.int32)
        generated = {"pt": pt, "eta": eta, "phi": phi, "mass": muons["mass"]}
        flat = {k: v.ravel().astype(np.float32) for k, v in generated.items()}
        flat["pdgId"] = (-13 * np.stack([charge, -charge], axis=1)).ravel().astype(np.int32)
        collections["GenPart"] = Collection(np.full(n, 2), flat)
    return EventTable(scalars, {"Muon": Collection(found.sum(axis=1), columns), **collections})


def _muons_of(
    rng: np.random.Generator, kind: Any, is_softer: bool
) -> tuple[FourMomentum, FourMomentum]:
    """Both muons of each event before the detector."""
    n, is_top = len(kind), kind == "TT"
    resonance = draw_breit_wigner(rng, n, 91.188, 2.495, 50.0, 400.0)
    mass = np.where(is_top, 40.0 + rng.exponential(70.0, n), resonance)
    # exp(-pT/a)·exp(-pT/b) is an exponential again, of 1/(1/a + 1/b)
    mean = 1.0 / (1.0 / HARD + 1.0 / SOFTER) if is_softer else HARD
    recoil = np.where(is_top, rng.gamma(2.0, 35.0, n), rng.gamma(2.0, mean / 2.0, n))
    angle = rng.uniform(-np.pi, np.pi, n)
    rapidity = np.clip(rng.normal(0.0, np.where(is_top, 1.0, 1.9), n), -4.5, 4.5)
    parent = from_transverse(recoil * np.cos(angle), recoil * np.sin(angle), rapidity, mass)
    # 1 + cos²θ: its integral is x³ + 3x, which Cardano's formula inverts
    y = 8.0 * rng.random(n) - 4.0
    root = np.sqrt(y**2 + 4.0)
    cosine = np.cbrt((y + root) / 2.0) + np.cbrt((y - root) / 2.0)
    return decay_in_two(parent, MASS_MUON, MASS_MUON, cosine, rng.uniform(-np.pi, np.pi, n))
