"""The selection of ``config/analyses/htautau/selection.py`` again, in ROOT RDataFrame.

It is written from the description of the selection and shares no code with Taipan, so that
agreement means something. It needs ROOT, which ``envs/root.lock`` pins, and nothing else:

    python -m venv .venv-root
    .venv-root/bin/pip install --require-hashes -r envs/root.lock
    .venv-root/bin/python benchmarks/skim_rdataframe.py FILE --output OUT.root

Kept events go to the tree ``Events`` of OUT.root with the columns of the skim and, with ``--pair``,
the selected pair and what is computed of it. The last line printed is JSON with the number of
events after each cut, the CPU seconds of the event loop and the seconds that compilation took.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import resource
import tempfile
import warnings
from collections.abc import Iterator, Sequence

os.environ.setdefault("EXTRA_CLING_ARGS", "-O2")
warnings.filterwarnings("ignore", message="(?s).*distribution of ROOT is in alpha stage")
import ROOT  # noqa: E402

SOURCE = r"""
using ROOT::RVecB; using ROOT::RVecD; using ROOT::RVecF; using ROOT::RVecI;

// Which muons, taus and jets pass; `loose` is 1 plus the envelope of an energy scale.
RVecI pass_muons(const RVecF &pt, const RVecF &eta, const RVecB &tight, double loose)
{
   RVecI pass(pt.size());
   for (size_t i = 0; i < pt.size(); ++i)
      pass[i] = tight[i] && pt[i] > 17. / loose && std::abs(eta[i]) < 2.1;
   return pass;
}

RVecI pass_taus(const RVecF &pt, const RVecF &eta, const RVecI &charge, const RVecB &mode,
                const RVecB &iso, const RVecB &electron, const RVecB &muon, double loose)
{
   RVecI pass(pt.size());
   for (size_t i = 0; i < pt.size(); ++i)
      pass[i] = pt[i] > 20. / loose && std::abs(eta[i]) < 2.3 && charge[i] != 0 && mode[i] &&
                iso[i] && electron[i] && muon[i];
   return pass;
}

RVecI pass_jets(const RVecF &pt, const RVecF &eta, const RVecB &pileup_id)
{
   RVecI pass(pt.size());
   for (size_t i = 0; i < pt.size(); ++i)
      pass[i] = pt[i] > 15. && std::abs(eta[i]) < 4.7 && pileup_id[i];
   return pass;
}

double distance(float eta_a, float phi_a, float eta_b, float phi_b)
{
   return std::hypot(eta_a - eta_b, TVector2::Phi_mpi_pi(double(phi_a) - double(phi_b)));
}

bool any_separated(const RVecI &muons, const RVecF &muon_eta, const RVecF &muon_phi,
                   const RVecI &taus, const RVecF &tau_eta, const RVecF &tau_phi)
{
   for (size_t i = 0; i < muons.size(); ++i)
      for (size_t j = 0; muons[i] && j < taus.size(); ++j)
         if (taus[j] && distance(muon_eta[i], muon_phi[i], tau_eta[j], tau_phi[j]) > 0.5)
            return true;
   return false;
}

RVecB genuine_taus(const RVecI &particle, const RVecI &pdg_id)
{
   RVecB genuine(particle.size());
   for (size_t i = 0; i < particle.size(); ++i)
      genuine[i] = particle[i] >= 0 && particle[i] < int(pdg_id.size()) &&
                   std::abs(pdg_id[particle[i]]) == 15;
   return genuine;
}

ULong64_t identity(ULong64_t run, ULong64_t block, ULong64_t event)
{
   ULong64_t hash = 0;
   for (ULong64_t number : {run, block, event}) {
      hash = (hash ^ number) + 0x9E3779B97F4A7C15ULL;
      hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9ULL;
      hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBULL;
      hash ^= hash >> 31;
   }
   return hash;
}

// The muon of highest pT with a partner, then its best isolated partner; -1 where there is none.
RVecI choose_pair(const RVecF &muon_pt, const RVecF &muon_eta, const RVecF &muon_phi,
                  const RVecF &tau_pt, const RVecF &tau_eta, const RVecF &tau_phi,
                  const RVecF &tau_iso)
{
   int muon = -1, tau = -1;
   for (size_t i = 0; i < muon_pt.size(); ++i) {
      if (!(muon_pt[i] > 17.) || (muon >= 0 && !(muon_pt[i] > muon_pt[muon])))
         continue;
      int partner = -1;
      for (size_t j = 0; j < tau_pt.size(); ++j)
         if (tau_pt[j] > 20. && distance(muon_eta[i], muon_phi[i], tau_eta[j], tau_phi[j]) > 0.5 &&
             (partner < 0 || tau_iso[j] < tau_iso[partner]))
            partner = j;
      if (partner >= 0) {
         muon = i;
         tau = partner;
      }
   }
   return {muon, tau};
}

// The two leading jets above 30 GeV away from the pair, and last the number of such jets.
RVecI choose_jets(const RVecI &pair, const RVecF &pt, const RVecF &eta, const RVecF &phi,
                  const RVecF &muon_eta, const RVecF &muon_phi, const RVecF &tau_eta,
                  const RVecF &tau_phi)
{
   RVecI found{-1, -1, 0};
   for (size_t i = 0; pair[0] >= 0 && i < pt.size(); ++i) {
      if (!(pt[i] > 30.) ||
          !(distance(eta[i], phi[i], muon_eta[pair[0]], muon_phi[pair[0]]) > 0.5) ||
          !(distance(eta[i], phi[i], tau_eta[pair[1]], tau_phi[pair[1]]) > 0.5))
         continue;
      ++found[2];
      if (found[0] < 0 || pt[i] > pt[found[0]]) {
         found[1] = found[0];
         found[0] = i;
      } else if (found[1] < 0 || pt[i] > pt[found[1]]) {
         found[1] = i;
      }
   }
   return found;
}

template <typename T>
double at(const T &values, int index)
{
   return index < 0 ? std::nan("") : double(values[index]);
}

TLorentzVector object(int index, const RVecF &pt, const RVecF &eta, const RVecF &phi,
                      const RVecF &mass)
{
   TLorentzVector momentum;
   if (index >= 0)
      momentum.SetPtEtaPhiM(pt[index], eta[index], phi[index], mass[index]);
   return momentum;
}

double transverse_mass(double pt_a, double phi_a, double pt_b, double phi_b)
{
   return std::sqrt(2. * pt_a * pt_b * (1. - std::cos(phi_a - phi_b)));
}
"""

INFORMATION = 4  # ROOT::ELogLevel::kInfo, which has no name in Python

TRIGGER = "HLT_IsoMu17_eta2p1_LooseIsoPFTau20"
SCALARS = ("run", "luminosityBlock", "event", "PV_npvs", "MET_pt", "MET_phi")
LISTS = {
    "Muon": ("pt", "eta", "phi", "mass", "charge", "pfRelIso03_all"),
    "Tau": ("pt", "eta", "phi", "mass", "charge", "relIso_all", "decayMode"),
    "Jet": ("pt", "eta", "phi", "mass", "btag"),
}
PAIR = {
    **{
        f"{short}_{leg}": f"at(s{name}_{branch}, pair[{leg - 1}])"
        for leg, name, isolation in ((1, "Muon", "pfRelIso03_all"), (2, "Tau", "relIso_all"))
        for short, branch in (
            *(("pt", "pt"), ("eta", "eta"), ("phi", "phi"), ("m", "mass"), ("q", "charge")),
            ("iso", isolation),
        )
    },
    "dm_2": "at(sTau_decayMode, pair[1])",
    "gen_match": "at(sMuon_genuine, pair[0]) * at(sTau_genuine, pair[1])",
    "m_vis": "(leg1 + leg2).M()",
    "pt_vis": "(leg1 + leg2).Pt()",
    "mt_1": "transverse_mass(leg1.Pt(), leg1.Phi(), MET_pt, MET_phi)",
    "mt_2": "transverse_mass(leg2.Pt(), leg2.Phi(), MET_pt, MET_phi)",
    "delta_r": "std::hypot(leg1.Eta() - leg2.Eta(), TVector2::Phi_mpi_pi(leg1.Phi() - leg2.Phi()))",
    "njets": "jets[2]",
    **{
        f"j{short}_{rank}": f"at(sJet_{branch}, jets[{rank - 1}])"
        for rank in (1, 2)
        for short, branch in (
            *(("pt", "pt"), ("eta", "eta"), ("phi", "phi"), ("m", "mass"), ("btag", "btag")),
        )
    },
    "mjj": 'jets[1] < 0 ? std::nan("") : (jet1 + jet2).M()',
}


def select(files: Sequence[str], is_data: bool, loose: dict[str, float]) -> tuple:
    """Book the selection; return the frame of kept events and the counts after each cut."""
    frame = ROOT.RDataFrame("Events", list(files))
    weighted = "genWeight" in [str(name) for name in frame.GetColumnNames()] and not is_data
    cuts = [("all", frame)]

    def cut(name: str, condition: str) -> None:
        cuts.append((name, cuts[-1][1].Filter(condition, name)))

    cut("trigger", f"{TRIGGER} && nMuon > 0 && nTau > 0")
    frame = cuts.pop()[1].Define(
        "muons", f"pass_muons(Muon_pt, Muon_eta, Muon_tightId, 1. + {loose['muon_pt']})"
    )
    cuts.append(("trigger", frame))
    cut("muon", "ROOT::VecOps::Any(muons)")
    frame = cuts.pop()[1].Define(
        "taus",
        "pass_taus(Tau_pt, Tau_eta, Tau_charge, Tau_idDecayMode, Tau_idIsoTight, "
        f"Tau_idAntiEleTight, Tau_idAntiMuTight, 1. + {loose['tau_pt']})",
    )
    cuts.append(("muon", frame))
    cut("tau", "ROOT::VecOps::Any(taus)")
    cut("pair", "any_separated(muons, Muon_eta, Muon_phi, taus, Tau_eta, Tau_phi)")
    kept = cuts[-1][1].Define("jets_kept", "pass_jets(Jet_pt, Jet_eta, Jet_puId)")
    for name, chosen in (("Muon", "muons"), ("Tau", "taus"), ("Jet", "jets_kept")):
        for branch in LISTS[name]:
            kept = kept.Define(f"s{name}_{branch}", f"{name}_{branch}[{chosen}]")
    for name, chosen in (("Muon", "muons"), ("Tau", "taus")):
        matched = f"genuine_taus({name}_genPartIdx[{chosen}], GenPart_pdgId)"
        kept = kept.Define(
            f"s{name}_genuine", f"RVecB({name}_pt[{chosen}].size())" if is_data else matched
        )
    kept = kept.Define("sevent_hash", "identity(run, luminosityBlock, event)")
    kept = kept.Define("sgenWeight", "genWeight" if weighted else "1.f")
    return kept, [(name, node.Count()) for name, node in cuts]


def add_pair(kept: object) -> tuple:
    """Define the selected pair at nominal thresholds and its jets; return frame and names."""
    pair = "sMuon_pt, sMuon_eta, sMuon_phi, sTau_pt, sTau_eta, sTau_phi, sTau_relIso_all"
    jets = "sJet_pt, sJet_eta, sJet_phi, sMuon_eta, sMuon_phi, sTau_eta, sTau_phi"
    kept = kept.Define("pair", f"choose_pair({pair})").Define("jets", f"choose_jets(pair, {jets})")
    for name, collection, index in (
        *(("leg1", "Muon", "pair[0]"), ("leg2", "Tau", "pair[1]")),
        *(("jet1", "Jet", "jets[0]"), ("jet2", "Jet", "jets[1]")),
    ):
        momentum = ", ".join(f"s{collection}_{part}" for part in ("pt", "eta", "phi", "mass"))
        kept = kept.Define(name, f"object({index}, {momentum})")
    for name, formula in PAIR.items():
        kept = kept.Define(name, formula)
    return kept.Define("passes", "pair[0] >= 0"), ["passes", *PAIR]


@contextlib.contextmanager
def _standard_error() -> Iterator[list[str]]:
    """Collect what ROOT writes on standard error; what it timed is there."""
    lines: list[str] = []
    saved = os.dup(2)
    with tempfile.TemporaryFile("w+") as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            sink.seek(0)
            lines += sink.read().splitlines()


def _seconds(lines: Sequence[str], pattern: str) -> float:
    found = [float(match[1]) for line in lines if (match := re.search(pattern, line))]
    if not found:
        raise RuntimeError("\n".join(lines))
    return sum(found)


def main() -> None:
    """Run the selection and print what came out and how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--output", help="ROOT file for kept events; without it they are counted")
    parser.add_argument("--data", action="store_true", help="collision data: no generator record")
    parser.add_argument("--pair", action="store_true", help="also write the selected pair")
    parser.add_argument("--muon-pt", type=float, default=0.02, help="envelope of muon momenta")
    parser.add_argument("--tau-pt", type=float, default=0.06, help="envelope of tau energies")
    options = parser.parse_args()
    ROOT.gInterpreter.Declare(SOURCE)
    loose = {"muon_pt": options.muon_pt, "tau_pt": options.tau_pt}
    kept, counts = select(options.files, options.data, loose)
    columns = list(SCALARS) + [f"s{name}_{b}" for name, bs in LISTS.items() for b in bs]
    columns += ["sMuon_genuine", "sTau_genuine", "sevent_hash", "sgenWeight"]
    if options.pair:
        kept, names = add_pair(kept)
        columns += names
    channel = ROOT.Detail.RDF.RDFLogChannel()
    verbosity = ROOT.RLogScopedVerbosity(channel, INFORMATION)
    with _standard_error() as lines:
        if options.output:
            settings = ROOT.RDF.RSnapshotOptions()
            settings.fLazy = True
            settings.fCompressionAlgorithm = ROOT.RCompressionSetting.EAlgorithm.kZSTD
            settings.fCompressionLevel = 1
            snapshot = kept.Snapshot("Events", options.output, columns, settings)
            snapshot.GetValue()
        cutflow = {name: int(count.GetValue()) for name, count in counts}
    del verbosity
    result = {
        "cutflow": cutflow,
        "loop": _seconds(lines, r"Finished event loop.*?([\d.e+-]+)s CPU"),
        "compilation": _seconds(lines, r"compilation phase completed in ([\d.e+-]+) s"),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "root": str(ROOT.gROOT.GetVersion()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
