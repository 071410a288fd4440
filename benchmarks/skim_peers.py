"""One skim, or one thing to compare it with, in a process of its own; see ``skim.py``.

    python benchmarks/skim_peers.py taipan|select|read|coffea FILE OUTPUT

``taipan`` writes the events it keeps, ``select`` throws them away, ``read`` reads the same branches
with uproot and does nothing, ``coffea`` is the selection as one would first write it on NanoEvents.
Prints JSON: events read and kept, CPU seconds without imports and first opening of the file, as
the event loop of RDataFrame has neither, and peak memory in bytes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import uproot

from taipan.analysis_folder import shipped_folder
from taipan.analysis_selection import load_analysis
from taipan.skim.run import Chunk, SkimSettings, _nano_steps, _open_tree, skim_chunk

ANALYSIS = load_analysis(shipped_folder("htautau"))
ENVELOPE = {"tau_pt": 0.06, "muon_pt": 0.02}
STEP = 200_000
SETTINGS = SkimSettings("benchmark", False, "fastsim", ENVELOPE, STEP)


def run_taipan(file: Path, output: Path) -> tuple[int, int]:
    """Skim to a Parquet file."""
    flow = skim_chunk(Chunk(file), ANALYSIS, SETTINGS, output, output.with_suffix(".json"), {})
    return flow.cuts[0].events, flow.cuts[-1].events


def run_select(file: Path, _output: Path) -> tuple[int, int]:
    """Skim, and keep nothing."""
    opened = _open_tree(Chunk(file))
    flows = [step.flow for step in _nano_steps(opened, Chunk(file), ANALYSIS, SETTINGS)]
    return sum(f.cuts[0].events for f in flows), sum(f.cuts[-1].events for f in flows)


def run_read(file: Path, _output: Path) -> tuple[int, int]:
    """Read the branches with uproot as it is by default."""
    tree = uproot.open(file)["Events"]
    names = ANALYSIS.trigger_branches + ANALYSIS.branches + ANALYSIS.simulation_branches
    for start in range(0, tree.num_entries, STEP):
        tree.arrays(list(names), entry_start=start, entry_stop=start + STEP)
    return tree.num_entries, 0


def run_coffea(file: Path, output: Path) -> tuple[int, int]:
    """Select with NanoEvents and write a Parquet file."""
    from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

    total = uproot.open(file)["Events"].num_entries
    kept = 0
    for start in range(0, total, STEP):
        events = NanoEventsFactory.from_root(
            {str(file): "Events"},
            schemaclass=NanoAODSchema,
            entry_start=start,
            entry_stop=min(start + STEP, total),
            mode="virtual",
        ).events()
        record = _select_nano_events(events)
        ak.to_parquet(record, f"{output}.{start}.parquet", compression="zstd")
        kept += len(record)
    return total, kept


def _select_nano_events(events: ak.Array) -> ak.Array:
    trigger, branch = ANALYSIS.trigger_branches[0].split("_", 1)
    events = events[events[trigger][branch]]
    muons, taus = events.Muon, events.Tau
    muons = muons[
        muons.tightId & (muons.pt > 17.0 / (1.0 + ENVELOPE["muon_pt"])) & (abs(muons.eta) < 2.1)
    ]
    taus = taus[
        (taus.pt > 20.0 / (1.0 + ENVELOPE["tau_pt"]))
        & (abs(taus.eta) < 2.3)
        & (taus.charge != 0)
        & (taus.idDecayMode & taus.idIsoTight & taus.idAntiEleTight & taus.idAntiMuTight)
    ]
    chosen = ak.any(ak.any(muons.metric_table(taus) > 0.5, axis=2), axis=1)
    events, muons, taus = events[chosen], muons[chosen], taus[chosen]
    jets = events.Jet[(events.Jet.pt > 15.0) & (abs(events.Jet.eta) < 4.7) & (events.Jet.puId != 0)]
    columns = {name: events[name] for name in ("run", "luminosityBlock", "event")}
    columns |= {"npvs": events.PV.npvs, "MET_pt": events.MET.pt, "MET_phi": events.MET.phi}
    kept = {
        "Muon": (muons, ("pt", "eta", "phi", "mass", "charge", "pfRelIso03_all")),
        "Tau": (taus, ("pt", "eta", "phi", "mass", "charge", "relIso_all", "decayMode")),
        "Jet": (jets, ("pt", "eta", "phi", "mass", "btag")),
    }
    for name, (objects, fields) in kept.items():
        columns |= {f"{name}_{field}": objects[field] for field in fields}
    for name, objects in (("Muon", muons), ("Tau", taus)):
        particle = events.GenPart.pdgId[ak.mask(objects.genPartIdx, objects.genPartIdx >= 0)]
        columns[f"{name}_genuine"] = ak.fill_none(abs(particle) == 15, False)
    bare = {name: ak.without_parameters(values) for name, values in columns.items()}
    return ak.zip(bare, depth_limit=1)


RUNS: dict[str, Callable[[Path, Path], tuple[int, int]]] = {
    "taipan": run_taipan,
    "select": run_select,
    "read": run_read,
    "coffea": run_coffea,
}


def main() -> None:
    """Run what the first argument names."""
    name, file, output = sys.argv[1:]
    uproot.open(file)["Events"]  # once a process, uproot makes classes for what the file holds
    began = time.process_time()
    events, kept = RUNS[name](Path(file), Path(output))
    seconds = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"events": events, "kept": kept, "seconds": seconds, "memory": memory}))


if __name__ == "__main__":
    main()
