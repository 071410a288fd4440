"""A small simulation of dimuon events at 13 TeV, so that the analysis runs without a download.

Four processes give two muons: Z → μμ, Z → ττ → μμ, tt̄ → μμ, and W → μ with a second muon from a
jet. Each simulated dataset is one of them, or both Z decays; the pseudo-data hold all, as many as
the luminosity asks for, Z → μμ times the injected strength. Each event has two muon candidates; the
catalogue has that fraction of the cross section as ``filter_efficiency``.

Momenta and masses are in GeV, angles in rad.
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

# pb at 13 TeV: Z/γ* → ℓℓ with m > 50 GeV, a lepton flavour; tt̄; W → ℓν of all flavours (sources in
# datasets/simulation.yaml)
SIGMA_Z, SIGMA_TT, SIGMA_W = 2025.74, 831.76, 61526.7
TAU_TO_MUON = 0.1739  # Particle Data Group (2022)
TWO_MUONS_OF_TT = 0.0161  # (B(W → μ) + B(W → τ) B(τ → μ))²
FAKE_MUONS = 1.0e-3  # muons of jets that pass as isolated, per W → μν: an assumption
PROCESSES = {
    "ZMM": SIGMA_Z,
    "ZTT": SIGMA_Z * TAU_TO_MUON**2,
    "TT": SIGMA_TT * TWO_MUONS_OF_TT,
    "W": SIGMA_W / 3.0 * FAKE_MUONS,
}
"""Process → cross section of events with two muon candidates, in pb."""
DATASETS = {
    "DYJetsToLL": ("ZMM", "ZTT"),
    "TTbar": ("TT",),
    "WJetsToLNu": ("W",),
    "SingleMuon": tuple(PROCESSES),
}
"""Dataset → processes; the last one is the pseudo-data."""
DATA = "SingleMuon"
MASS_MUON = 0.10566
BATCH = 100_000
RESOLUTION = {"barrel": 0.011, "forward": 0.022}  # relative, of pT: CMS, JINST 13 (2018) P06015


def expected_events(process: str, settings: Mapping[str, Any]) -> float:
    """Give the number of events of a process that the pseudo-data are expected to hold."""
    strength = settings["mu"] if process == "ZMM" else 1.0
    return 1000.0 * settings["luminosity"] * PROCESSES[process] * strength


def write_dataset(dataset: str, path: Path, settings: Mapping[str, Any], seed: int) -> None:
    """Write the ROOT file of a dataset.

    Parameters
    ----------
    dataset
        One of ``DATASETS``.
    path
        File to write.
    settings
        ``luminosity`` of the pseudo-data in fb⁻¹, injected strength ``mu``, ``events`` of each
        simulated dataset.
    seed
        The seed of the configuration.
    """
    rng = generator_for(seed, "zmumu", dataset)
    processes = DATASETS[dataset]
    if dataset == DATA:
        numbers = [int(rng.poisson(expected_events(name, settings))) for name in processes]
    else:
        shares = np.array([PROCESSES[name] for name in processes])
        numbers = rng.multinomial(settings["events"][dataset], shares / shares.sum()).tolist()
    order = rng.permutation(np.repeat(np.arange(len(processes)), numbers))
    tables = (
        _make_events(rng, [processes[i] for i in order[start : start + BATCH]], dataset, start)
        for start in range(0, max(len(order), 1), BATCH)
    )
    write_tree(path, f"zmumu/{dataset}/{seed}", tables)


def write_truth(path: Path, settings: Mapping[str, Any], seed: int) -> None:
    """Write what was put into the pseudo-data: luminosity, and strength of Z → μμ."""
    write_json(path, {"seed": seed, "mu": settings["mu"], "luminosity": settings["luminosity"]})


def _make_events(
    rng: np.random.Generator, names: list[str], dataset: str, first: int
) -> EventTable:
    """Make one batch of events of the processes `names`."""
    n = len(names)
    kind = np.array(names)
    legs = _muons_of(rng, kind)
    charge = np.where(rng.random(n) < 0.5, 1, -1)
    flip = (kind == "W") & (rng.random(n) < 0.45)  # a muon of a jet has either charge
    charges = (charge, np.where(flip, charge, -charge))
    origin = {"ZMM": 1, "ZTT": 15, "TT": 1, "W": 1}  # Muon_genPartFlav: prompt, or of a tau
    flavour = np.array([origin[name] for name in names], dtype=np.int64)
    columns: dict[str, list[Any]] = {}
    for leg, (momentum, q) in enumerate(zip(legs, charges, strict=True)):
        is_fake = (kind == "W") & (leg == 1)
        eta = momentum.eta
        width = np.where(np.abs(eta) < 1.2, RESOLUTION["barrel"], RESOLUTION["forward"])
        pt = momentum.pt * (1.0 + width * rng.standard_normal(n))
        found = (np.abs(eta) < 2.4) & (pt > 5.0) & (rng.random(n) < 0.98)
        iso = rng.exponential(np.where(is_fake, 0.25, 0.03))
        values = {
            "pt": pt,
            "eta": eta,
            "phi": momentum.phi,
            "mass": np.full(n, MASS_MUON),
            "charge": q,
            "tightId": rng.random(n) < 0.965,
            "pfRelIso04_all": iso,
            "genPartFlav": np.where(is_fake, 0, flavour),
            "_found": found,
        }
        for name, value in values.items():
            columns.setdefault(name, []).append(value)
    return _to_table(rng, columns, dataset, first)


def _muons_of(rng: np.random.Generator, kind: Any) -> tuple[FourMomentum, FourMomentum]:
    """Both muons of each event before the detector."""
    n = len(kind)
    is_top, is_w = kind == "TT", kind == "W"
    resonance = draw_breit_wigner(rng, n, 91.188, 2.495, 50.0, 400.0)
    mass = np.where(is_top | is_w, 40.0 + rng.exponential(70.0, n), resonance)
    soft = rng.gamma(1.2, 7.0, n) + rng.exponential(6.0, n)
    recoil = np.where(is_top, rng.gamma(2.0, 35.0, n), soft)
    angle = rng.uniform(-np.pi, np.pi, n)
    rapidity = np.clip(rng.normal(0.0, np.where(is_top, 1.0, 1.9), n), -4.5, 4.5)
    parent = from_transverse(recoil * np.cos(angle), recoil * np.sin(angle), rapidity, mass)
    # 1 + cos²θ: its integral is x³ + 3x, which Cardano's formula inverts
    y = 8.0 * rng.random(n) - 4.0
    root = np.sqrt(y**2 + 4.0)
    cosine = np.cbrt((y + root) / 2.0) + np.cbrt((y - root) / 2.0)
    turn = rng.uniform(-np.pi, np.pi, n)
    first, second = decay_in_two(parent, MASS_MUON, MASS_MUON, cosine, turn)
    # muons of taus carry a part x of their energy: f(x) ∝ 5 - 9 x² + 4 x³, close to Beta(1, 2)
    parts = [np.where(kind == "ZTT", rng.beta(1.1, 1.9, n), 1.0) for _ in range(2)]
    parts[1] = np.where(is_w, rng.beta(1.0, 3.0, n), parts[1])
    return _scale(first, parts[0]), _scale(second, parts[1])


def _scale(momentum: FourMomentum, factor: Any) -> FourMomentum:
    return FourMomentum(*(factor * getattr(momentum, k) for k in ("px", "py", "pz", "energy")))


def _to_table(
    rng: np.random.Generator, columns: Mapping[str, list[Any]], dataset: str, first: int
) -> EventTable:
    """Sort the muons by pT and put the event's own branches beside them."""
    stacked = {name: np.stack(values, axis=1) for name, values in columns.items()}
    found, pt = stacked.pop("_found"), stacked["pt"]
    n = len(pt)
    order = np.argsort(-pt, axis=1, kind="stable")
    stacked = {name: np.take_along_axis(values, order, axis=1) for name, values in stacked.items()}
    found = np.take_along_axis(found, order, axis=1)
    good = found & stacked["tightId"] & (stacked["pfRelIso04_all"] < 0.2)
    triggering = good & (stacked["pt"] > 24.0)
    fired = (triggering & (rng.random((n, 2)) < 0.9)).any(axis=1)
    types = {"charge": np.int32, "tightId": np.bool_, "genPartFlav": np.uint8}
    muons = {
        name: values[found].astype(types.get(name, np.float32)) for name, values in stacked.items()
    }
    number = first + np.arange(n)
    is_data = dataset == DATA
    if is_data:
        del muons["genPartFlav"]
    scalars = {
        "run": np.full(n, 273158 if is_data else 1, dtype=np.uint32),
        "luminosityBlock": (1 + number // 500).astype(np.uint32),
        "event": (1 + number).astype(np.uint64),
        "HLT_IsoMu24": fired,
        "PV_npvs": np.maximum(1, rng.poisson(24.0 if is_data else 22.0, n)).astype(np.int32),
    }
    if not is_data:
        scalars["genWeight"] = np.ones(n, dtype=np.float32)
    return EventTable(scalars, {"Muon": Collection(found.sum(axis=1), muons)})
