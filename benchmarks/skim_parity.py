"""Compare the skim with an independent implementation in ROOT RDataFrame.

    python benchmarks/skim_parity.py --root-python .venv-root/bin/python

simulates every dataset of fastsim, skims each with Taipan and with ``skim_rdataframe.py``, and
compares events, objects, the selected pair and what is computed of it. Identifiers, flags and what
is copied must be equal, computed numbers within 1e-5 of each other. Prints JSON; the exit status is
1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from taipan.analysis_folder import shipped_folder
from taipan.analysis_selection import load_analysis
from taipan.fastsim import DATASETS, FastsimSettings, write_dataset
from taipan.skim.run import Chunk, SkimSettings, skim_chunk
from taipan.skim.storage import read_events

ANALYSIS = load_analysis(shipped_folder("htautau"))
TOLERANCE = 1e-5
ENVELOPE = {"tau_pt": 0.06, "muon_pt": 0.02}
RDATAFRAME = Path(__file__).with_name("skim_rdataframe.py")
FLAGS = {"Muon_tightId", "Jet_puId", "Tau_idDecayMode", "Tau_idIsoTight"}
NOT_COMPARED = {
    *FLAGS,  # that every kept object has
    *("Tau_idAntiEleTight", "Tau_idAntiMuTight"),
    "n_jets_unstored",  # 0 in NanoAOD: all jets are listed
}
QUANTITIES = (
    *(f"{name}_{leg}" for name in ("pt", "eta", "phi", "m", "q", "iso", "mt") for leg in (1, 2)),
    *(f"{name}_{i}" for name in ("jpt", "jeta", "jphi", "jm", "jbtag") for i in (1, 2)),
    *("dm_2", "m_vis", "pt_vis", "delta_r", "njets", "mjj", "gen_match"),
)


def run_rdataframe(python: str, file: Path, output: Path, is_data: bool) -> dict[str, Any]:
    """Skim with RDataFrame and return what it reports."""
    command = [python, str(RDATAFRAME), str(file), "--output", str(output), "--pair"]
    for name, size in ENVELOPE.items():
        command += [f"--{name.replace('_', '-')}", str(size)]
    done = subprocess.run(
        command + ["--data"] * is_data, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def deviation(ours: Any, theirs: Any) -> float:
    """Largest relative difference; infinite where one is NaN or shapes differ."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if ours.shape != theirs.shape or (np.isnan(ours) != np.isnan(theirs)).any():
        return float("inf")
    scale = np.maximum(np.abs(ours), np.abs(theirs))
    relative = np.abs(ours - theirs) / np.where(scale > 0.0, scale, 1.0)
    return float(np.nan_to_num(relative).max(initial=0.0))


def compare(events: Path, other: Path) -> dict[str, float]:
    """Compare two skims of the same file.

    Parameters
    ----------
    events
        Parquet file of Taipan.
    other
        ROOT file of RDataFrame, with the pair.

    Returns
    -------
    dict
        Column or quantity → largest relative difference (infinite: other events or objects).
    """
    ours = read_events([events], ANALYSIS.columns)
    theirs = uproot.open(other)["Events"].arrays()
    found = {}
    for column in ANALYSIS.columns:
        if column.name in NOT_COMPARED:
            continue
        branch = column.name if column.name in theirs.fields else f"s{column.name}"
        if column.dtype == "uint64":  # a float could not hold every bit
            same = np.array_equal(ours[column.name], ak.to_numpy(theirs[branch]))
            found[column.name] = 0.0 if same else float("inf")
            continue
        values = theirs[branch]
        if column.jagged:
            width = ours[column.name].shape[1]
            if len(values) and ak.max(ak.num(values)) > width:
                found[column.name] = float("inf")
                continue
            values = ak.fill_none(ak.pad_none(values, width, clip=True), np.nan)
        found[column.name] = deviation(ours[column.name], ak.to_numpy(values))
    quantities = ANALYSIS.compute(ours)
    passes = ak.to_numpy(theirs["passes"])
    same = np.array_equal(quantities["passes"], passes)
    found["passes"] = 0.0 if same else float("inf")
    for name in QUANTITIES if same else ():
        found[name] = deviation(quantities[name][passes], ak.to_numpy(theirs[name])[passes])
    return found


def compare_dataset(python: str, name: str, settings: FastsimSettings, folder: Path) -> Any:
    """Simulate a dataset, skim it twice, compare; return what to print."""
    file, parquet, other = (folder / f"{name}.{end}" for end in ("root", "parquet", "rdf.root"))
    write_dataset(name, file, settings, seed=42)
    is_data = name.startswith("Run")
    skim_settings = SkimSettings(name, is_data, "fastsim", ENVELOPE, step_events=60_000)
    flow = skim_chunk(Chunk(file), ANALYSIS, skim_settings, parquet, folder / "cutflow.json", {})
    report = run_rdataframe(python, file, other, is_data)
    cutflow = {cut.name: cut.events for cut in flow.cuts}
    columns = [column for column in ANALYSIS.columns if column.name in ("Muon_pt", "Tau_pt")]
    kept = read_events([parquet], columns)
    objects = [np.isfinite(kept[column.name]).sum(axis=1) for column in columns]
    found = compare(parquet, other)
    worst = max(found, key=lambda key: found[key])
    for path in (file, parquet, other):
        path.unlink()
    return {
        "cutflow": cutflow,
        "several_pairs": int((objects[0] * objects[1] > 1).sum()),
        "same_cutflow": cutflow == report["cutflow"],
        "largest_difference": found[worst],
        "where": worst,
        "columns": len(found),
    }


def main() -> int:
    """Compare every dataset; return 1 if one differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root-python", default=".venv-root/bin/python")
    parser.add_argument("--events", type=int, default=100_000, help="of each simulated dataset")
    parser.add_argument("--luminosity", type=float, default=8.0, help="of the pseudo-data, fb^-1")
    parser.add_argument("--datasets", nargs="*", default=list(DATASETS))
    options = parser.parse_args()
    settings = FastsimSettings(
        luminosity=options.luminosity,
        mu=1.0,
        mismodelling_family="none",
        mismodelling_size=1.0,
        negative_fraction=0.2,
        events={name: options.events for name in DATASETS if not name.startswith("Run")},
    )
    with tempfile.TemporaryDirectory() as folder:
        found = {
            name: compare_dataset(options.root_python, name, settings, Path(folder))
            for name in options.datasets
        }
    agree = all(
        one["same_cutflow"] and one["largest_difference"] <= TOLERANCE for one in found.values()
    )
    events = {cut: sum(one["cutflow"][cut] for one in found.values()) for cut in ("all", "pair")}
    print(json.dumps({"datasets": found, "events": events, "agree": agree}, indent=1))
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
