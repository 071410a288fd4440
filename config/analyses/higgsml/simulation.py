"""A stand-in for the tables of the HiggsML Uncertainty Challenge: the same columns, other events.

Hard events are those of fastsim (Z→ττ, H→ττ by gluon and boson fusion, tt̄) and a simple WW;
lepton, tau, jets and missing momentum are measured with Gaussian resolutions. Each dataset is a
Parquet file whose weights sum to the expected events of the challenge at 10 fb⁻¹. It proves the
chain; its numbers are not those of the challenge. Momenta are in GeV, angles in rad.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from taipan.atomic import replacing, write_json
from taipan.fastsim import decays
from taipan.fastsim.hard_jets import JetSpectrum, draw_jets, recoil_boson
from taipan.fastsim.kinematics import wrap_phi
from taipan.fastsim.other_processes import generate_top_pairs
from taipan.fastsim.resonances import (
    generate_boson_fusion,
    generate_gluon_fusion,
    generate_z_to_taus,
)
from taipan.fastsim.seeding import generator_for
from taipan.kinematics import delta_r

Array = NDArray[Any]

EXPECTED = {"htautau": 1039.0, "ztautau": 1003219.0, "ttbar": 40906.0, "diboson": 6269.0}
"""Dataset → expected events at 10 fb⁻¹: sums of the weights of the public sample."""
DATASETS = tuple(EXPECTED)
BOSON_FUSION = 0.1
"""Share of boson fusion in H→ττ, of the generated events."""
BATCH = 200_000
LEPTON_PT, TAU_PT, JET_PT = 20.0, 22.0, 22.0
"""The public files hold objects from below the thresholds of the analysis, for the shifts."""
LEPTON_ETA = TAU_ETA = 2.5
JET_ETA = 4.7
NOTHING = -25.0
"""What stands for a jet that is not there."""
SOFT_NOISE = 9.0
"""Resolution of each component of the missing momentum, without jets and tau."""
_BOSON_JETS = JetSpectrum(pt_min=15.0, scale=60.0, index=4.5, eta_width=2.2)


def generate_dibosons(rng: np.random.Generator, count: int) -> Any:
    """Generate WW → ℓν τν: two W of a pair that recoils against jets."""
    jets = draw_jets(rng, count, _BOSON_JETS, mean=0.7)
    mass = 165.0 + rng.exponential(60.0, count)
    pair = recoil_boson(rng, jets, mass, rng.normal(0.0, 1.3, count), soft=8.0)
    cosine, turn = rng.uniform(-1.0, 1.0, count), rng.uniform(-np.pi, np.pi, count)
    w_1, w_2 = decays.decay_in_two(pair, decays.MASS_W, decays.MASS_W, cosine, turn)
    legs = []
    for parent, lepton_mass in ((w_1, decays.MASS_MUON), (w_2, decays.MASS_TAU)):
        cosine, turn = decays.draw_vector_cosine(rng, count), rng.uniform(-np.pi, np.pi, count)
        legs.append(decays.decay_in_two(parent, lepton_mass, 0.0, cosine, turn))
    (lepton, neutrino_1), (tau, neutrino_2) = legs
    fraction = decays.draw_hadronic_taus(rng, count).fraction
    return SimpleNamespace(
        muon_pt=lepton.pt,
        muon_eta=lepton.eta,
        muon_phi=lepton.phi,
        tau_pt=fraction * tau.pt,
        tau_eta=tau.eta,
        tau_phi=tau.phi,
        neutrino_px=neutrino_1.px + neutrino_2.px + (1.0 - fraction) * tau.px,
        neutrino_py=neutrino_1.py + neutrino_2.py + (1.0 - fraction) * tau.py,
        jet_pt=jets.pt,
        jet_eta=jets.eta,
        jet_phi=jets.phi,
    )


GENERATORS: dict[str, tuple[tuple[Callable[..., Any], float], ...]] = {
    "htautau": ((generate_gluon_fusion, 1.0 - BOSON_FUSION), (generate_boson_fusion, BOSON_FUSION)),
    "ztautau": ((generate_z_to_taus, 1.0),),
    "ttbar": ((generate_top_pairs, 1.0),),
    "diboson": ((generate_dibosons, 1.0),),
}
"""Dataset → generators of hard events and their shares."""


def write_dataset(dataset: str, path: Path, settings: Mapping[str, Any], seed: int) -> None:
    """Write the table of a dataset.

    Parameters
    ----------
    dataset
        One of ``DATASETS``.
    path
        Parquet file to write.
    settings
        ``events`` of each dataset: rows to write.
    seed
        The seed of the configuration.
    """
    rows = int(settings["events"][dataset])
    weight = EXPECTED[dataset] / rows
    with replacing(path) as part:
        writer: pq.ParquetWriter | None = None
        for columns in make_rows(dataset, rows, seed):
            table = pa.table({**columns, **_labels(dataset, weight, len(columns["PRI_met"]))})
            writer = writer or pq.ParquetWriter(part, table.schema, write_page_checksum=True)
            writer.write_table(table)
        if writer is not None:
            writer.close()


def write_truth(path: Path, settings: Mapping[str, Any], seed: int) -> None:
    """Write what the pseudo-data hold: everything as expected, signal strength 1."""
    write_json(path, {"seed": seed, "mu": 1.0, "luminosity": 10.0})


def _labels(dataset: str, weight: float, n: int) -> dict[str, Any]:
    return {
        "weights": np.full(n, weight, np.float32),
        "detailed_labels": pa.array([dataset] * n),
        "labels": np.full(n, dataset == "htautau", np.float32),
    }


def make_rows(dataset: str, rows: int, seed: int) -> Iterator[dict[str, Array]]:
    """Make the primary quantities of `rows` rows, a batch after the other.

    Yields
    ------
    dict
        Column → float32 array, rounded to 0.001 as in the public files.
    """
    batch = 0
    while rows > 0:
        rng = generator_for(seed, "higgsml", dataset, batch)
        parts = []
        for generate, share in GENERATORS[dataset]:
            hard = generate(rng, round(min(BATCH, 20 * rows) * share))
            parts.append(measure(rng, hard))
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = rng.permutation(len(joined["PRI_met"]))[:rows]
        made = {name: np.round(column[order], 3) for name, column in joined.items()}
        yield {name: column.astype(np.float32) for name, column in made.items()}
        rows -= len(order)
        batch += 1


def measure(rng: np.random.Generator, hard: Any) -> dict[str, Array]:
    """Measure hard events and keep those with a lepton and a tau.

    Parameters
    ----------
    rng
        Source of randomness.
    hard
        Momenta of lepton (``muon_*``), tau, neutrinos and jets; jets have pT 0 where there is none.
    """
    n = len(hard.muon_pt)
    lep_pt = hard.muon_pt * (1.0 + 0.015 * rng.standard_normal(n))
    had_pt = hard.tau_pt * (1.0 + 0.08 * rng.standard_normal(n))
    width = np.hypot(0.8 / np.sqrt(np.maximum(hard.jet_pt, 1.0)), 0.05)
    jet_pt = hard.jet_pt * np.maximum(1.0 + width * rng.standard_normal(hard.jet_pt.shape), 0.0)
    lost_x = (hard.jet_pt - jet_pt) * np.cos(hard.jet_phi)
    lost_y = (hard.jet_pt - jet_pt) * np.sin(hard.jet_phi)
    noise = SOFT_NOISE * rng.standard_normal((2, n))
    tau_lost = hard.tau_pt - had_pt
    met_x = hard.neutrino_px + lost_x.sum(axis=1) + tau_lost * np.cos(hard.tau_phi) + noise[0]
    met_y = hard.neutrino_py + lost_y.sum(axis=1) + tau_lost * np.sin(hard.tau_phi) + noise[1]
    found = (jet_pt > JET_PT) & (np.abs(hard.jet_eta) < JET_ETA)
    for leg in ("muon", "tau"):
        eta, phi = (getattr(hard, f"{leg}_{key}")[:, np.newaxis] for key in ("eta", "phi"))
        found &= delta_r(hard.jet_eta, hard.jet_phi, eta, phi) > 0.5
    rank = np.argsort(np.where(found, -jet_pt, np.inf), axis=1, kind="stable")[:, :2]
    columns = {
        "PRI_lep_pt": lep_pt,
        "PRI_lep_eta": hard.muon_eta,
        "PRI_lep_phi": hard.muon_phi,
        "PRI_had_pt": had_pt,
        "PRI_had_eta": hard.tau_eta,
        "PRI_had_phi": hard.tau_phi,
        "PRI_n_jets": found.sum(axis=1),
        "PRI_jet_all_pt": np.where(found, jet_pt, 0.0).sum(axis=1),
        "PRI_met": np.hypot(met_x, met_y),
        "PRI_met_phi": np.arctan2(met_y, met_x),
    }
    there = np.take_along_axis(found, rank, axis=1)
    for key, values in (("pt", jet_pt), ("eta", hard.jet_eta), ("phi", wrap_phi(hard.jet_phi))):
        chosen = np.where(there, np.take_along_axis(values, rank, axis=1), NOTHING)
        columns |= {f"PRI_jet_leading_{key}": chosen[:, 0]}
        columns |= {f"PRI_jet_subleading_{key}": chosen[:, 1]}
    kept = (lep_pt > LEPTON_PT) & (np.abs(hard.muon_eta) < LEPTON_ETA)
    kept &= (had_pt > TAU_PT) & (np.abs(hard.tau_eta) < TAU_ETA)
    kept &= delta_r(hard.muon_eta, hard.muon_phi, hard.tau_eta, hard.tau_phi) > 0.5
    return {name: column[kept] for name, column in columns.items()}
