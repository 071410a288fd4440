r"""The mass of a pair of taus: speed, resolution on Z and H, data against simulation.

    python benchmarks/ditau_mass.py RESULTS/htautau

The folder is that of a run on the CMS skims with ``config/examples/ditau-mass.yaml``. Events of
fastsim are made on the spot, because the files have the true mass and the covariance of the missing
momentum, which the skims lack.
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uproot
from numpy.typing import NDArray
from scipy import stats

from taipan.analysis_folder import shipped_folder
from taipan.analysis_selection import load_analysis
from taipan.config.load import read_config
from taipan.ditau.mass import Leg, ditau_mass
from taipan.ditau.neutrinos import Missing
from taipan.events.inputs import SkimmedEvents
from taipan.events.selection import sample_masks
from taipan.fastsim import DATASETS, FastsimSettings, write_dataset
from taipan.kinematics import cartesian, invariant_mass
from taipan.skim.run import Chunk, SkimSettings, skim_chunk
from taipan.skim.storage import read_events

Array = NDArray[Any]
ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "config/examples/ditau-mass.yaml"
SIGNAL = {"Z": ("DYJetsToLL", 91.19), "ggH": ("GluGluToHToTauTau", 125.0),
          "qqH": ("VBF_HToTauTau", 125.0)}  # fmt: skip
MASSES = ("m_tt", "m_tt_collinear", "m_vis")
COMPARED = {
    "m_tt": [50, 70, 80, 90, 100, 110, 120, 130, 145, 160, 180, 210, 250, 320],
    "m_tt_width": [0, 4, 8, 12, 16, 20, 24, 28, 34, 40, 60],
    "m_tt_chi2": [-1e-9, 1e-6, 0.3, 1, 2, 3, 4, 6, 8, 10, 13, 17, 25],
    "m_tt_collinear": [50, 70, 90, 110, 130, 160, 200, 300, 600, 2000],
    "m_vis": [30, 45, 55, 65, 75, 85, 95, 110, 130, 160, 200],
    "met": [0, 10, 20, 30, 40, 50, 60, 80, 100],
    "mt_1": [0, 5, 10, 15, 20, 25, 30, 70, 75, 80, 85, 90, 95, 100, 110, 130],
    "pt_tt": [0, 10, 20, 30, 40, 60, 80, 120],
}
CONTROL = {"w_control": "ss_w_control", "antiiso_os": "antiiso_ss"}


@dataclass(frozen=True)
class Events:
    """Quantities and weights of events that pass."""

    quantities: dict[str, Array]
    weights: Array


def spread(values: Array) -> tuple[float, float]:
    """Median, and half the width of the central 68 % over it."""
    low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
    return float(middle), float((high - low) / 2 / middle)


def resolution(title: str, found: dict[str, dict[str, Array]]) -> None:
    """Print bias and resolution of each mass, and how well Z and H are told apart."""
    print(f"\n{title}\n| sample | events | quantity | median | bias | resolution | AUC against Z |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: |")
    for sample, quantities in found.items():
        true = SIGNAL[sample][1]
        for name in [name for name in quantities if name.startswith(MASSES)]:
            values = quantities[name]
            if name in ("m_tt_width", "m_tt_chi2"):
                continue
            middle, width = spread(values)
            pairs = stats.mannwhitneyu(values, found["Z"][name]).statistic
            area = pairs / len(values) / len(found["Z"][name])
            row = (f"`{name}`", f"{middle:.1f}", f"{middle / true - 1:+.3f}", f"{width:.3f}")
            print(f"| {sample} | {len(values)} | {' | '.join(row)} | {area:.3f} |")


def in_signal_region(quantities: dict[str, Array]) -> Array:
    q = quantities
    return (q["q_1"] * q["q_2"] < 0) & (q["mt_1"] < 30) & (q["iso_1"] < 0.1)


def fastsim(analysis: Any, number: int) -> dict[str, dict[str, Array]]:
    """Events of fastsim: with the covariance of the files, and relative to the true mass."""
    events = dict.fromkeys((name for name in DATASETS if not name.startswith("Run")), number)
    settings = FastsimSettings(
        luminosity=1.0, mu=1.0, mismodelling_family="none", mismodelling_size=1.0,
        negative_fraction=0.2, events=events,
    )  # fmt: skip
    found = {}
    for sample, (dataset, true) in SIGNAL.items():
        with tempfile.TemporaryDirectory() as folder:
            file, out = Path(folder, "events.root"), Path(folder, "events.parquet")
            write_dataset(dataset, file, settings, seed=16)
            skim = SkimSettings(
                dataset=dataset, is_data=False, kind="simulation",
                envelope={"tau_pt": 0.06, "muon_pt": 0.02}, step_events=100_000,
            )  # fmt: skip
            skim_chunk(Chunk(file), analysis, skim, out, Path(folder, "cutflow.json"), {})
            columns = read_events([out], analysis.columns)
            names = [*(f"MET_Cov{of}" for of in ("XX", "XY", "YY")), "GenPart_mass", "event"]
            truth = uproot.open(file)["Events"].arrays(names)
        q = analysis.compute(columns)
        kept = q["passes"] & (q["gen_match"] == 1) & in_signal_region(q)
        order = np.argsort(np.asarray(truth["event"]))
        place = np.searchsorted(np.asarray(truth["event"]), columns["event"][kept], sorter=order)
        row = order[place]
        chosen = {name: values[kept] for name, values in q.items()}
        with_matrix = ditau_mass(
            *legs(chosen),
            Missing(
                chosen["met"] * np.cos(chosen["phi_met"]),
                chosen["met"] * np.sin(chosen["phi_met"]),
                *(np.asarray(truth[f"MET_Cov{of}"], np.float64)[row] for of in ("XX", "XY", "YY")),
            ),
        )
        scale = true / np.asarray(truth["GenPart_mass"][:, 0], np.float64)[row]
        chosen["m_tt_with_matrix"] = with_matrix.mean
        found[sample] = {name: chosen[name] * scale for name in (*MASSES, "m_tt_with_matrix")}
    return found


def legs(q: dict[str, Array]) -> tuple[Leg, Leg]:
    momentum = ("pt", "eta", "phi", "m")
    return (
        Leg("leptonic", *(q[f"{name}_1"] for name in momentum)),
        Leg("hadronic", *(q[f"{name}_2"] for name in momentum)),
    )


def read_run(folder: Path, analysis: Any, samples: Any) -> dict[str, Events]:
    """All events of a run: process → events, data among them."""
    paths = {p.name: sorted(map(str, p.glob("*.parquet"))) for p in (folder / "events").iterdir()}
    files = (str(folder / "normalisation.json"), str(folder / "corrections" / "pileup.json"))
    parts: dict[str, list[Events]] = {}
    for dataset in SkimmedEvents(paths, *files).open(analysis, 2):
        q = dataset.compute(analysis)
        masks = {"data": q["passes"]}
        weights = np.ones(len(q["passes"]))
        if dataset.weights is not None:
            masks = sample_masks(q, samples, dataset.name)
            weights = dataset.weights.nominal
        for process, mask in masks.items():
            rows = mask & q["passes"]
            chosen = {name: values[rows] for name, values in q.items() if name in needed(q)}
            parts.setdefault(process, []).append(Events(chosen, weights[rows]))
    return {
        process: Events(
            {
                name: np.concatenate([e.quantities[name] for e in found])
                for name in found[0].quantities
            },
            np.concatenate([e.weights for e in found]),
        )
        for process, found in parts.items()
    }


def needed(q: Any) -> set[str]:
    return set(q) - {"passes"}


def agreement(run: dict[str, Events], cuts: dict[str, Any], factor: float) -> None:
    """Print p-values of data against simulation, which is scaled to the data: shapes alone."""
    print("\n| region | quantity | χ² / bins - 1 | p | KS p | simulation scaled by |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for region, same_sign in CONTROL.items():
        for name, edges in COMPARED.items():
            data, variance = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
            model = np.zeros(len(edges) - 1)
            for process, events in run.items():
                for place, times in ((region, 1.0), (same_sign, factor)):
                    rows = cuts[place](events.quantities)
                    values = events.quantities[name][rows]
                    weights = events.weights[rows] * times
                    n = np.histogram(values, edges, weights=weights)[0]
                    squares = np.histogram(values, edges, weights=weights**2)[0]
                    if process == "data" and place == region:
                        data += n
                    else:  # same sign: data count as multijets, simulation is subtracted
                        model += n * (1 if process == "data" or place == region else -1)
                        variance += squares
            scale = data.sum() / model.sum()
            error = data + scale**2 * variance
            used = (data >= 10) & (error > 0)
            chi2 = float((((data - scale * model) ** 2)[used] / error[used]).sum())
            degrees = int(used.sum()) - 1
            distance = np.abs(np.cumsum(data) / data.sum() - np.cumsum(model) / model.sum()).max()
            effective = 1 / (1 / data.sum() + variance.sum() / model.sum() ** 2)
            p_values = (
                stats.chi2.sf(chi2, degrees),
                stats.kstwobign.sf(distance * np.sqrt(effective)),
            )
            print(
                f"| `{region}` | `{name}` | {chi2:.1f} / {degrees} | {p_values[0]:.3f} "
                f"| {p_values[1]:.3f} | {scale:.3f} |"
            )


def seconds(function: Callable[[], object], repeats: int = 5) -> float:
    """Smallest processor time of some calls in seconds."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        found.append(time.process_time() - start)
    return min(found)


def grid_of_one(first: Leg, second: Leg, missing: Missing, i: int, steps: Array) -> float:
    """The simple peer: an event at a time, on a grid of the two fractions."""
    one, two = (
        cartesian(leg.pt[i], leg.eta[i], leg.phi[i], leg.mass[i]) for leg in (first, second)
    )
    x, y = steps[:, None], steps[None, :]
    dx = missing.x[i] - one[0] * (1 / x - 1) - two[0] * (1 / y - 1)
    dy = missing.y[i] - one[1] * (1 / x - 1) - two[1] * (1 / y - 1)
    xx, xy, yy = missing.xx[i], missing.xy[i], missing.yy[i]
    chi2 = (yy * dx**2 - 2 * xy * dx * dy + xx * dy**2) / (xx * yy - xy**2)
    mass = invariant_mass(one, two) / np.sqrt(x * y)
    weight = np.exp(-0.5 * chi2) * mass**-4 * (5 - 9 * x**2 + 4 * x**3)
    return float((weight * mass).sum() / weight.sum())


def speed(q: dict[str, Array]) -> None:
    """Print time and memory of an event, and ratios."""
    rows = np.arange(20_000) % len(q["met"])
    events = {name: values[rows] for name, values in q.items()}
    first, second = legs(events)
    x, y = events["met"] * np.cos(events["phi_met"]), events["met"] * np.sin(events["phi_met"])
    variance = 8.3**2 + 2.65**2 * events["npv"]
    missing = Missing(x, y, variance, np.zeros(len(x)), variance)
    n = len(x)

    def visible() -> Array:
        momenta = [cartesian(leg.pt, leg.eta, leg.phi, leg.mass) for leg in (first, second)]
        return invariant_mass(*momenta)

    steps = (np.arange(100) + 0.5) / 100
    own = seconds(lambda: ditau_mass(first, second, missing)) / n
    simple = seconds(visible) / n
    peer = (
        seconds(lambda: [grid_of_one(first, second, missing, i, steps) for i in range(200)]) / 200
    )
    print(f"\nan event: {own * 1e6:.1f} µs; visible mass {simple * 1e6:.3f} µs (ratio "
          f"{own / simple:.0f}); grid of 100 × 100, event by event {peer * 1e6:.0f} µs (ratio "
          f"{own / peer:.4f})")  # fmt: skip
    for times in (1, 10):
        many = np.arange(times * n) % n
        parts = [Leg(leg.decay, *(getattr(leg, k)[many] for k in ("pt", "eta", "phi", "mass")))
                 for leg in (first, second)]  # fmt: skip
        moved = Missing(*(getattr(missing, k)[many] for k in ("x", "y", "xx", "xy", "yy")))
        tracemalloc.start()
        ditau_mass(*parts, moved)
        print(f"{times * n} events: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB at most, of "
              f"which {times * n * 8 * 40 / 1e6:.0f} MB are 40 numbers an event")  # fmt: skip
        tracemalloc.stop()


def main(folder: Path) -> None:
    config = read_config([str(EXAMPLE)], ROOT)
    analysis = load_analysis(shipped_folder("htautau"), config.quantities)
    run = read_run(folder, analysis, config.samples)
    speed(run["ZTT"].quantities)
    skims = {}
    for sample, process in (("Z", "ZTT"), ("ggH", "ggH"), ("qqH", "qqH")):
        q = run[process].quantities
        rows = in_signal_region(q) & (q["gen_match"] == 1)
        skims[sample] = {name: q[name][rows] for name in MASSES}
        physical = float((q["m_tt_chi2"][rows] < 1e-6).mean())
        print(f"{sample}: {physical:.2f} of the events have a physical collinear solution")
    resolution("CMS skims, simulation, signal region", skims)

    def region(os: int, low: float, high: float, iso: tuple[float, float]) -> Callable[..., Array]:
        def cut(q: dict[str, Array]) -> Array:
            isolated = (q["iso_1"] >= iso[0]) & (q["iso_1"] < iso[1])
            return (
                (q["q_1"] * q["q_2"] * os > 0) & (q["mt_1"] > low) & (q["mt_1"] < high) & isolated
            )

        return cut

    w, low, anti, isolated = (70.0, np.inf), (-1.0, 30.0), (0.1, 0.3), (0.0, 0.1)
    cuts = {
        "w_control": region(-1, *w, isolated), "ss_w_control": region(1, *w, isolated),
        "antiiso_os": region(-1, *low, anti), "antiiso_ss": region(1, *low, anti),
    }  # fmt: skip
    agreement({k: v for k, v in run.items() if k not in ("ggH", "qqH")}, cuts, 1.08)
    resolution("fastsim, signal region, relative to the true mass", fastsim(analysis, 8_000))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
