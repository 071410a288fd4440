"""The selection of ``config/analyses/agc_ttbar`` again, in ROOT RDataFrame.

It is written from the public specification of the Analysis Grand Challenge (version 1) and shares
no code with Taipan, so that agreement means something. It needs ROOT, pinned in ``envs/root.lock``:

    .venv-root/bin/python benchmarks/agc_rdataframe.py FILE --output OUT.root

The tree ``Events`` of OUT.root has, for each event of FILE and each variation (``nominal``,
``scale_up``, ``scale_down``, ``resolution``), the number of jets and of b-tags, H_T and the mass of
the three jets. The last line printed is JSON: events after each cut, and the number of leptons and
jets after each of their own cuts.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings

os.environ.setdefault("EXTRA_CLING_ARGS", "-O2")
warnings.filterwarnings("ignore", message="(?s).*distribution of ROOT is in alpha stage")
import ROOT  # noqa: E402

SOURCE = r"""
#include <Math/Vector4D.h>
#include <Math/QuantFuncMathCore.h>
using ROOT::RVecB; using ROOT::RVecF; using ROOT::RVecI; using ROOT::RVecD;
using Momentum = ROOT::Math::PtEtaPhiMVector;

// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)
ULong64_t finalise(ULong64_t z)
{
   z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
   z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
   return z ^ (z >> 31);
}

ULong64_t identify(ULong64_t run, ULong64_t lumi, ULong64_t event)
{
   ULong64_t value = 0;
   for (ULong64_t number : {run, lumi, event})
      value = finalise((value ^ number) + 0x9E3779B97F4A7C15ULL);
   return value;
}

// Standard normal number of the jet at a position of an event.
double normal(ULong64_t event, size_t position)
{
   ULong64_t z = finalise(event + (position + 1) * 0x9E3779B97F4A7C15ULL);
   double u = std::ldexp(double(z >> 11), -53);
   return ROOT::Math::normal_quantile(std::min(std::max(u, 1e-12), 1. - 1e-12), 1.);
}

struct Result { int jets = 0, tags = 0; double ht = 0., mass = 0.; };

// Jets with another pT and mass; `kind` 0: scaled by 1 + size, 1: smeared by size.
// Smearing counts the jets that a skim with thresholds lowered by `loose` stores.
Result evaluate(const RVecF &pt, const RVecF &eta, const RVecF &phi, const RVecF &mass,
                const RVecI &id, const RVecF &tag, ULong64_t event, int kind, double size,
                float loose)
{
   std::vector<Momentum> momenta; std::vector<float> tags;
   Result result;
   size_t position = 0;
   for (size_t i = 0; i < pt.size(); ++i) {
      if (std::abs(eta[i]) >= 2.4f || !(id[i] & 4) || !(pt[i] * loose > 30.f))
         continue;
      double change = kind ? std::max(size * normal(event, position), -0.9) : size;
      ++position;
      float factor = 1. + change, moved = pt[i] * factor;
      if (!(moved > 30.f))
         continue;
      momenta.emplace_back(moved, eta[i], phi[i], mass[i] * factor);
      tags.push_back(tag[i]);
      result.ht += moved;
      result.tags += tag[i] >= 0.5f;
   }
   result.jets = momenta.size();
   double best = -1.;
   for (size_t i = 0; i < momenta.size(); ++i)
      for (size_t j = i + 1; j < momenta.size(); ++j)
         for (size_t k = j + 1; k < momenta.size(); ++k) {
            if (!(std::max({tags[i], tags[j], tags[k]}) > 0.5f))
               continue;
            auto three = momenta[i] + momenta[j] + momenta[k];
            if (three.Pt() > best) { best = three.Pt(); result.mass = three.M(); }
         }
   return result;
}
"""
VARIATIONS = {
    "nominal": (0, 0.0),
    "scale_up": (0, 0.03),
    "scale_down": (0, -0.03),
    "resolution": (1, 0.05),
}
OBJECTS = {
    "electron": (
        "abs(Electron_eta) < 2.1",
        "Electron_cutBased == 4",
        "Electron_sip3d < 4",
        "Electron_pt > 30",
    ),
    "muon": (
        "abs(Muon_eta) < 2.1",
        "Muon_tightId",
        "Muon_sip3d < 4",
        "Muon_pfRelIso04_all < 0.15",
        "Muon_pt > 30",
    ),
    "jet": ("abs(Jet_eta) < 2.4", "(Jet_jetId & 4) > 0", "Jet_pt > 30"),
}


def main() -> None:
    """Evaluate a file and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--output", required=True)
    parser.add_argument("--tag", default="Jet_btagCSVV2", help="branch of the b-tag discriminator")
    parser.add_argument("--loose", type=float, default=1.25, help="1 + skim.envelope.jet_pt")
    options = parser.parse_args()
    ROOT.gInterpreter.Declare(SOURCE)
    frame = ROOT.RDataFrame("Events", options.file)
    counts = {}
    for name, cuts in OBJECTS.items():
        so_far = "&&".join(f"({cut})" for cut in cuts)
        frame = frame.Define(f"good_{name}", so_far)
        for i in range(len(cuts)):
            column = f"count_{name}_{i}"
            frame = frame.Define(column, f"Sum({'&&'.join(f'({cut})' for cut in cuts[: i + 1])})")
            counts[f"{name}: {cuts[i]}"] = frame.Sum(column)
    frame = frame.Define("leptons", "int(Sum(good_electron) + Sum(good_muon))")
    frame = frame.Define("identity", "identify(run, luminosityBlock, event)")
    frame = frame.Define("number", "ULong64_t(event)")
    columns = ["number", "leptons"]
    arguments = f"Jet_pt, Jet_eta, Jet_phi, Jet_mass, Jet_jetId, {options.tag}, identity"
    for name, (kind, size) in VARIATIONS.items():
        call = f"evaluate({arguments}, {kind}, {size}, {options.loose}f)"
        frame = frame.Define(f"result_{name}", call)
        for field in ("jets", "tags", "ht", "mass"):
            frame = frame.Define(f"{field}_{name}", f"result_{name}.{field}")
            columns.append(f"{field}_{name}")
    lepton = frame.Filter("leptons == 1")
    jets = lepton.Filter("jets_nominal >= 4")
    tag = jets.Filter("tags_nominal >= 1")
    flow = {"one lepton": lepton.Count(), "four jets": jets.Count(), "b-tag": tag.Count()}
    frame.Snapshot("Events", options.output, columns)
    report = {
        "cutflow": {key: value.GetValue() for key, value in flow.items()},
        "objects": {key: int(value.GetValue()) for key, value in counts.items()},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
