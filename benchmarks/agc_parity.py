"""Compare the selection of ``agc_ttbar`` with an independent implementation in ROOT RDataFrame.

    python benchmarks/agc_parity.py --root-python .venv-root/bin/python

makes datasets of the analysis' own simulation, skims them with Taipan, evaluates the quantities
nominally and under each shift, and does the same with ``agc_rdataframe.py``. In both regions the
events must be the same, one by one, H_T and the mass of the three jets within 1e-6. Files that are
given instead (``--files``) are counted cut by cut. Prints JSON; the exit status is 1 if anything
differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import uproot

from taipan.analysis_folder import import_part
from taipan.skim.run import Chunk, SkimSettings, skim_chunk
from taipan.skim.storage import read_events

FOLDER = Path(__file__).parents[1] / "config/analyses/agc_ttbar"
RDATAFRAME = Path(__file__).with_name("agc_rdataframe.py")
TOLERANCE = 1e-6
ENVELOPE = {"jet_pt": 0.25}
SHIFTS = {
    "nominal": ("", 0.0),
    "scale_up": ("jet_pt", 0.03),
    "scale_down": ("jet_pt", -0.03),
    "resolution": ("jet_resolution", 0.05),
}
REGIONS = {"one_tag": (1, 1), "two_tags": (2, 99)}
SIMULATED = {"ttbar": 150_000, "wjets": 60_000, "single_top_tW": 20_000, "pseudodata": 0}


def run_rdataframe(python: str, file: Path, output: Path, *options: str) -> dict[str, Any]:
    """Evaluate a file with RDataFrame and return what it reports."""
    command = [python, str(RDATAFRAME), str(file), "--output", str(output), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def compare(columns: Any, analysis: Any, theirs: Any) -> dict[str, Any]:
    """Compare events, H_T and mass in each region and variation.

    Parameters
    ----------
    columns
        Skim columns of Taipan.
    analysis
        Gives quantities and shifts.
    theirs
        Branches of ``agc_rdataframe.py``.

    Returns
    -------
    dict
        Variation and region → number of events, whether they are the same, largest relative
        difference of H_T and of the mass.
    """
    found = {}
    for variation, (name, size) in SHIFTS.items():
        shifted = analysis.shifts[name].function(columns, size) if name else columns
        quantities = analysis.compute(shifted)
        for region, (low, high) in REGIONS.items():
            tags = quantities["nbtags"]
            mine = quantities["passes"] & (tags >= low) & (tags <= high)
            other = theirs[f"tags_{variation}"]
            chosen = (theirs["leptons"] == 1) & (theirs[f"jets_{variation}"] >= 4)
            chosen &= (other >= low) & (other <= high)
            ours_at = np.argsort(columns["event"][mine])
            theirs_at = np.argsort(theirs["number"][chosen])
            same = np.array_equal(
                columns["event"][mine][ours_at], theirs["number"][chosen][theirs_at]
            )
            result: dict[str, Any] = {"events": int(mine.sum()), "same": bool(same)}
            for quantity, branch in (("ht", "ht"), ("m_trijet", "mass")) if same else ():
                a = quantities[quantity][mine][ours_at]
                b = theirs[f"{branch}_{variation}"][chosen][theirs_at]
                difference = np.abs(a - b) / np.maximum(np.abs(b), 1.0)
                result[quantity] = float(difference.max(initial=0.0))
            found[f"{variation}, {region}"] = result
    return found


def compare_dataset(python: str, name: str, events: int, folder: Path) -> dict[str, Any]:
    """Simulate a dataset and compare both implementations on it."""
    simulation, selection = (import_part(FOLDER, part) for part in ("simulation", "selection"))
    file, parquet, other = (folder / f"{name}.{end}" for end in ("root", "parquet", "rdf.root"))
    settings = {"luminosity": 0.05, "mu": 1.0, "events": {name: events}}
    simulation.write_dataset(name, file, settings, seed=42)
    analysis = selection.ANALYSIS
    skim = SkimSettings(name, name == simulation.DATA, "nanoaod", ENVELOPE, step_events=60_000)
    skim_chunk(Chunk(file), analysis, skim, parquet, folder / "cutflow.json", {})
    run_rdataframe(python, file, other, "--loose", str(1.0 + ENVELOPE["jet_pt"]))
    theirs = uproot.open(other)["Events"].arrays(library="np")
    regions = compare(read_events([parquet], analysis.columns), analysis, theirs)
    return {"events": len(theirs["number"]), "regions": regions}


def count_objects(selection: ModuleType, file: Path) -> dict[str, int]:
    """Count the objects of a file that pass all cuts of their collection, and the events."""
    tree = uproot.open(file)["Events"]
    tag = "btagCSVV2" if "Jet_btagCSVV2" in tree else "btagDeepFlavB"
    fields = {
        "Electron": ("pt", "eta", "phi", "mass", "cutBased", "sip3d"),
        "Muon": ("pt", "eta", "phi", "mass", "tightId", "sip3d", "pfRelIso04_all"),
        "Jet": ("pt", "eta", "phi", "mass", "jetId", tag),
    }
    events = {}
    for collection, names in fields.items():
        arrays = tree.arrays([f"{collection}_{name}" for name in names])
        renamed = {tag: "btagCSVV2"}
        events[collection] = ak.zip(
            {renamed.get(name, name): arrays[f"{collection}_{name}"] for name in names}
        )
    everything = SimpleNamespace(**events)
    chosen = SimpleNamespace(
        Electron=selection.electrons(everything),
        Muon=selection.muons(everything),
        Jet=selection.jets(everything),
    )
    counts = {
        name.lower(): int(ak.sum(ak.num(getattr(chosen, name)))) for name in ("Electron", "Muon")
    }
    counts["jet"] = int(ak.sum(ak.num(chosen.Jet)))
    passed = np.ones(len(chosen.Jet), dtype=bool)
    for name, mask in selection.cuts(chosen).items():
        passed &= ak.to_numpy(mask)
        counts[name] = int(passed.sum())
    return counts


def compare_file(python: str, file: Path, folder: Path) -> dict[str, Any]:
    """Count objects and events of a file with both implementations."""
    ours = count_objects(import_part(FOLDER, "selection"), file)
    has_csv = "Jet_btagCSVV2" in uproot.open(file)["Events"]
    tag = "Jet_btagCSVV2" if has_csv else "Jet_btagDeepFlavB"
    report = run_rdataframe(python, file, folder / "real.root", "--tag", tag, "--loose", "1.0")
    last = {key.split(":")[0]: value for key, value in report["objects"].items()}
    theirs = {**last, **report["cutflow"]}
    return {"ours": ours, "theirs": theirs, "objects": report["objects"], "same": ours == theirs}


def main() -> int:
    """Compare every dataset; return 1 if one differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root-python", default=".venv-root/bin/python")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the numbers of events")
    parser.add_argument("--files", nargs="*", type=Path, default=[], help="real files to count")
    options = parser.parse_args()
    report: dict[str, Any] = {}
    is_same = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in options.files:
            report[file.name] = compare_file(options.root_python, file, folder)
            is_same &= report[file.name]["same"]
        for dataset, events in SIMULATED.items() if not options.files else ():
            number = int(options.scale * events)
            found = compare_dataset(options.root_python, dataset, number, folder)
            report[dataset] = found
            for region in found["regions"].values():
                close = max(region.get("ht", 1.0), region.get("m_trijet", 1.0)) <= TOLERANCE
                is_same &= region["same"] and close
    json.dump(report, sys.stdout, indent=1)
    print()
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
