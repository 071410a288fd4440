"""A simulation of the datasets, so that the analysis runs before there are real files.

It makes two muons for each event, smears them as a detector does, and writes the branches of
NanoAOD that selection.py reads. When you have real files, put a catalogue of them into `datasets`,
and delete this file. Momenta and masses are in GeV, angles in rad.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import vector

from taipan.fastsim.event_table import Collection, EventTable
from taipan.fastsim.root_file import write_tree
from taipan.seeds import derive_seed

# Cross sections in pb of what is simulated; datasets/simulation.yaml has the same numbers.
CROSS_SECTIONS = {"DrellYan": 4.0, "TTbar": 6.0, "Resonance": 0.15}
DATA = "Data"  # pseudo-data: a mixture of all
DATASETS = (*CROSS_SECTIONS, DATA)  # the names that write_dataset knows
MASS, WIDTH = 400.0, 40.0  # of the resonance


def write_dataset(dataset: str, path: Path, settings: Mapping[str, Any], seed: int) -> None:
    """Write the ROOT file of a dataset.

    Parameters
    ----------
    dataset
        One of `DATASETS`.
    path
        File to write.
    settings
        `events` of each simulated dataset; `luminosity` (fb⁻¹) and signal strength `mu` of the
        pseudo-data.
    seed
        Random seed; the same one gives the same file.
    """
    rng = np.random.default_rng(derive_seed(seed, f"demo/{dataset}"))
    if dataset == DATA:  # a Poisson number of events of each process
        expected = {k: 1000.0 * settings["luminosity"] * v for k, v in CROSS_SECTIONS.items()}
        expected["Resonance"] *= settings["mu"]
        numbers = {name: int(rng.poisson(number)) for name, number in expected.items()}
    else:
        numbers = {dataset: settings["events"][dataset]}
    parts = [_make_process(rng, name, number) for name, number in numbers.items()]
    events = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    order = rng.permutation(len(events["met"]))
    events = {key: values[order] for key, values in events.items()}
    write_tree(path, f"demo/{dataset}/{seed}", [_to_table(rng, events, dataset == DATA)])


def _make_process(rng: np.random.Generator, name: str, n: int) -> dict[str, Any]:
    """Make true muons of `n` events of a process: arrays of shape (n, 2), and the true MET."""
    if name == "Resonance":
        mass = np.clip(MASS + 0.5 * WIDTH * rng.standard_cauchy(n), 200.0, 800.0)
    elif name == "DrellYan":  # falls with the mass, as a power
        mass = 120.0 * (1.0 - rng.random(n)) ** (-1.0 / 2.5)
    else:
        mass = 120.0 + rng.gamma(2.0, 60.0, n)
    boost = rng.gamma(2.0, 40.0 if name == "TTbar" else 12.0, n)  # pT of the pair
    rapidity = np.clip(rng.normal(0.0, 1.0, n), -2.5, 2.5)
    azimuth = rng.uniform(-np.pi, np.pi, n)
    height = np.hypot(mass, boost)
    pair = vector.array(
        {
            "px": boost * np.cos(azimuth),
            "py": boost * np.sin(azimuth),
            "pz": height * np.sinh(rapidity),
            "E": height * np.cosh(rapidity),
        }
    )
    # Both muons fly in opposite directions where the pair is at rest, in any direction.
    cosine, turn = rng.uniform(-1.0, 1.0, n), rng.uniform(-np.pi, np.pi, n)
    sine = np.sqrt(1.0 - cosine**2)
    legs = []
    for sign in (1.0, -1.0):
        half = 0.5 * sign * mass
        leg: Any = vector.array(
            {
                "px": half * sine * np.cos(turn),
                "py": half * sine * np.sin(turn),
                "pz": half * cosine,
                "E": 0.5 * mass,
            }
        )
        legs.append(leg.boost_p4(pair))
    neutrinos = rng.gamma(2.0, 50.0, n) if name == "TTbar" else np.zeros(n)
    return {
        "pt": np.stack([leg.pt for leg in legs], axis=1),
        "eta": np.stack([leg.eta for leg in legs], axis=1),
        "phi": np.stack([leg.phi for leg in legs], axis=1),
        "met": neutrinos,
    }


def _to_table(rng: np.random.Generator, events: Mapping[str, Any], is_data: bool) -> EventTable:
    """Let a detector see the events, and give its branches: scalars, and lists of muons."""
    n = len(events["met"])
    pt = events["pt"] * (1.0 + 0.02 * rng.standard_normal((n, 2)))  # resolution of 2 %
    found = (np.abs(events["eta"]) < 2.4) & (pt > 10.0) & (rng.random((n, 2)) < 0.95)
    charge = np.where(rng.random(n) < 0.5, 1, -1)
    angle = rng.uniform(-np.pi, np.pi, n)
    missing_x = events["met"] * np.cos(angle) + rng.normal(0.0, 15.0, n)
    missing_y = events["met"] * np.sin(angle) + rng.normal(0.0, 15.0, n)
    muons = {
        "pt": pt.astype(np.float32),
        "eta": events["eta"].astype(np.float32),
        "phi": events["phi"].astype(np.float32),
        "mass": np.full((n, 2), 0.10566, dtype=np.float32),
        "charge": np.stack([charge, -charge], axis=1).astype(np.int32),
        "tightId": rng.random((n, 2)) < 0.97,
        "pfRelIso04_all": rng.exponential(0.03, (n, 2)).astype(np.float32),
    }
    number = np.arange(n)
    scalars = {
        "run": np.full(n, 300000 if is_data else 1, dtype=np.uint32),
        "luminosityBlock": (1 + number // 500).astype(np.uint32),
        "event": (1 + number).astype(np.uint64),
        "HLT_Mu50": (found & (pt > 52.0)).any(axis=1),
        "PV_npvs": np.maximum(1, rng.poisson(30.0, n)).astype(np.int32),
        "MET_pt": np.hypot(missing_x, missing_y).astype(np.float32),
        "MET_phi": np.arctan2(missing_y, missing_x).astype(np.float32),
    }
    if not is_data:
        scalars["genWeight"] = np.ones(n, dtype=np.float32)
    lists = {name: values[found] for name, values in muons.items()}
    return EventTable(scalars, {"Muon": Collection(found.sum(axis=1), lists)})
