r"""fastsim against CMS: a table of yields and overlays of the main variables.

Both runs must exist:

    ./run
    ./run --configfile config/examples/cms-2012-skims.yaml
    python benchmarks/fastsim_against_cms.py \
        results/htautau results/cms-2012-skims/htautau docs/figures

Everything is scaled to the luminosity of the CMS skims. The table marks the cells that differ by
more than a factor 1.5, and says how many standard deviations apart they are, and with what
probability cells whose expectations differ by just that factor are as far apart or farther.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
from scipy.stats import binom

from taipan.analysis_folder import shipped_folder
from taipan.analysis_selection import load_analysis
from taipan.config.load import read_config
from taipan.events.selection import sample_masks
from taipan.plotting.style import house_style, new_figure
from taipan.skim.storage import read_events

ROOT = Path(__file__).parent.parent
ANALYSIS = load_analysis(shipped_folder("htautau"))
TOLERANCE = 1.5
VARIABLES = {
    "pt_1": ("$p_T(\\mu)$ [GeV]", np.linspace(17, 101, 22)),
    "pt_2": ("$p_T(\\tau_h)$ [GeV]", np.linspace(20, 100, 21)),
    "eta_2": ("$\\eta(\\tau_h)$", np.linspace(-2.3, 2.3, 24)),
    "m_vis": ("$m_{vis}$ [GeV]", np.linspace(10, 200, 39)),
    "mt_1": ("$m_T(\\mu, p_T^{miss})$ [GeV]", np.linspace(0, 150, 31)),
    "met": ("$p_T^{miss}$ [GeV]", np.linspace(0, 120, 31)),
    "njets": ("jets ($p_T$ > 30 GeV)", np.arange(-0.5, 7)),
    "jpt_1": ("leading jet $p_T$ [GeV]", np.linspace(30, 200, 18)),
    "mjj": ("$m_{jj}$ [GeV]", np.linspace(0, 1000, 21)),
    "delta_r": ("$\\Delta R(\\mu, \\tau_h)$", np.linspace(0.5, 5, 19)),
    "iso_1": ("relative isolation of the $\\mu$", np.linspace(0, 0.3, 16)),
    "npv": ("vertices", np.arange(0.5, 36, 2)),
}
GROUPS = {
    "data": ("collisions",),
    "backgrounds": ("ZTT", "ZLL", "W", "TT"),
    "signals": ("ggH", "qqH"),
}
COLOURS = ("#222222", "#5790fc", "#f89c20", "#e42536", "#964a8b")


def load(folder: Path, samples: dict) -> dict[str, tuple[dict, np.ndarray]]:
    """Selected events of a run: process → (quantities, weights)."""
    scales = json.loads((folder / "normalisation.json").read_text(encoding="utf-8"))
    parts: dict[str, list] = {}
    for dataset in sorted((folder / "events").iterdir()):
        files = sorted(dataset.glob("*.parquet"))
        if not files or dataset.name not in scales:
            continue
        quantities = ANALYSIS.compute(read_events(files, ANALYSIS.columns))
        masks = {"collisions": np.ones(len(quantities["passes"]), bool)}
        if not scales[dataset.name]["is_data"]:
            masks = sample_masks(quantities, samples, dataset.name)
        for process, mask in masks.items():
            kept = mask & quantities["passes"]
            values = {name: quantities[name][kept] for name in VARIABLES}
            weights = np.full(kept.sum(), scales[dataset.name]["scale"])
            parts.setdefault(process, []).append((values, weights))
    return {
        process: (
            {name: np.concatenate([part[0][name] for part in found]) for name in VARIABLES},
            np.concatenate([part[1] for part in found]),
        )
        for process, found in parts.items()
    }


def luminosity(folder: Path) -> float:
    content = json.loads((folder / "normalisation.json").read_text(encoding="utf-8"))
    return next(entry["luminosity"] for entry in content.values())


def draw(processes: tuple[str, ...], ours: dict, theirs: dict, factor: float, path: Path) -> None:
    with house_style():
        figure = new_figure(10.2, 10.8)
        axes = figure.subplots(8, 3, height_ratios=[2.4, 1] * 4)
        for index, (name, (label, edges)) in enumerate(VARIABLES.items()):
            top, ratio = axes[2 * (index // 3)][index % 3], axes[2 * (index // 3) + 1][index % 3]
            centres, widths = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
            for process, colour in zip(processes, COLOURS, strict=False):
                a, b = (
                    [
                        np.histogram(events[0][name], edges, weights=events[1] ** power)[0]
                        for power in (1, 2)
                    ]
                    for events in (ours[process], theirs[process])
                )
                top.stairs(factor * a[0] / widths, edges, color=colour, label=f"{process}, fastsim")
                errors = np.sqrt(b[1]) / widths
                style = {"fmt": ".", "color": colour, "markersize": 4}
                top.errorbar(centres, b[0] / widths, errors, label=f"{process}, CMS", **style)
                with np.errstate(divide="ignore", invalid="ignore"):
                    value = factor * a[0] / b[0]
                    spread = value * np.hypot(np.sqrt(a[1]) / a[0], np.sqrt(b[1]) / b[0])
                ratio.errorbar(centres, value, spread, **style)
            if name in ("njets", "jpt_1", "mjj", "iso_1"):
                smallest = min(factor * ours[process][1].min() for process in processes)
                top.set(yscale="log", ylim=(0.3 * smallest / widths.max(), None))
            top.set(xlim=(edges[0], edges[-1]), ylabel="events / unit")
            top.tick_params(labelbottom=False)
            ratio.axhline(1.0, color="grey", linewidth=0.7)
            ratio.set(xlim=(edges[0], edges[-1]), ylim=(0.4, 1.6), xlabel=label, ylabel="ratio")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", ncol=4, bbox_to_anchor=(0.5, 0.975))
        figure.suptitle("CMS Open Data 2012 and fastsim, 1.147 fb$^{-1}$ (8 TeV)", y=0.995)
        figure.subplots_adjust(
            left=0.075, right=0.985, bottom=0.045, top=0.925, hspace=0.45, wspace=0.3
        )
        figure.savefig(path)


def read_yields(folder: Path) -> dict[tuple[str, str], tuple[float, float]]:
    with (folder / "yields.csv").open(encoding="utf-8") as file:
        return {
            (row["region"], row["process"]): (float(row["yield"]), float(row["stat"]))
            for row in csv.DictReader(file)
        }


def probability_beyond(ours: tuple[float, float], cms: tuple[float, float]) -> float:
    """Probability of a ratio as far from 1, or farther, if the true one is the tolerance.

    Both cells are (Σw, √Σw²), that is n = (Σw)²/Σw² events of equal weight. Of their sum, the share
    of one cell is binomial with the ratio of the expectations alone.
    """
    larger, smaller = (ours, cms) if ours[0] > cms[0] else (cms, ours)
    counts = [round((value / stat) ** 2) for value, stat in (larger, smaller)]
    weights = [stat**2 / value for value, stat in (larger, smaller)]
    odds = TOLERANCE * weights[1] / weights[0]
    return float(binom.sf(counts[0] - 1, sum(counts), odds / (1.0 + odds)))


def main(ours: Path, theirs: Path, figures: Path) -> None:
    factor = luminosity(theirs) / luminosity(ours)
    mine, cms = read_yields(ours), read_yields(theirs)
    print("| region | process | fastsim | CMS | ratio | apart |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for (region, process), (value, stat) in cms.items():
        if not value:
            continue
        ratio = factor * mine[region, process][0] / value
        apart = (factor * mine[region, process][0] - value) / np.hypot(
            factor * mine[region, process][1], stat
        )
        mark = "" if 1 / TOLERANCE <= ratio <= TOLERANCE else " **"
        if mark:
            cell = factor * mine[region, process][0], factor * mine[region, process][1]
            beyond = f"{region}, {process}: {probability_beyond(cell, (value, stat)):.2g}"
            print(f"beyond by chance: {beyond}", file=sys.stderr)
        numbers = (
            f"{factor * mine[region, process][0]:.4g} ± {factor * mine[region, process][1]:.2g}"
        )
        print(
            f"| `{region}` | {process} | {numbers} | {value:.4g} ± {stat:.2g} "
            f"| {ratio:.2f}{mark} | {apart:+.1f} σ |"
        )
    samples = read_config([], ROOT).samples
    a, b = load(ours, samples), load(theirs, samples)
    for name, processes in GROUPS.items():
        draw(processes, a, b, factor, figures / f"fastsim-overlay-{name}.png")


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:4]))
