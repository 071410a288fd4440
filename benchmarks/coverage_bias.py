"""Bias of pseudo-experiments drawn from a finite simulation: how much of it is chance.

    python benchmarks/coverage_bias.py RESULTS/ANALYSIS

RESULTS/ANALYSIS is the folder of a finished run of the default configuration. A kinematic shift has
an even part, ½ (y(+1σ) + y(-1σ)) - y(0), that symmetrised templates leave out. Averaged over true
values of the systematics, pseudo-data differ from the templates by the sum of the even parts, and
the fit turns that into a bias of μ̂. Events that move between bins make the even part noisy, and all
pseudo-experiments share that noise, since they are drawn from the same simulation. Its size comes
from dividing the simulation in two halves at random: half the difference of their biases is the
noise of the whole.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taipan.analysis_selection import load_analysis
from taipan.atomic import read_json
from taipan.config.load import read_config
from taipan.config.sections.region_bins import choose_histogram
from taipan.coverage.bins import FitBins, SourceData
from taipan.coverage.draw import Universe, iterate_samples
from taipan.coverage.sample_events import SampleEvents
from taipan.coverage.truth import Truth, extreme_truths
from taipan.estimates.registry import read_estimate
from taipan.events.corrections import read_corrections
from taipan.events.inputs import SkimmedEvents
from taipan.inference import compile_model
from taipan.inference.model import CompiledModel
from taipan.inference.toys import fit_pseudo_data
from taipan.likelihood.table import read_table
from taipan.nn.scorer import open_scorer
from taipan.stages.draw_pseudo_data import read_source_data
from taipan.templates.store import read_histograms

SPLITS = 4
OBSERVABLE = "nn_score"


def open_universe(folder: Path, config: Any) -> tuple[Universe, list[SampleEvents], SourceData]:
    """Open the events of a run near the fitted regions, and the data of an estimate."""
    analysis = load_analysis(config.folder, config.quantities)
    models = sorted(map(str, (folder / "models").glob("fold*.onnx")))
    merging = read_json(folder / f"workspaces/{OBSERVABLE}_record.json")["regions"]
    events = {
        path.name: sorted(map(str, path.glob("*.parquet")))
        for path in sorted((folder / "events").iterdir())
        if path.is_dir() and not path.name.startswith("Run")
    }
    corrections = folder / "corrections"
    skimmed = SkimmedEvents(events, folder / "normalisation.json", corrections / "pileup.json")
    binning = FitBins(
        OBSERVABLE,
        {name: np.asarray(item["edges_after"]) for name, item in merging.items()},
        frozenset(name for name, item in merging.items() if item["role"] == "control"),
    )
    histograms = read_histograms(str(folder / "templates/templates.zip"))
    tables = {
        name: read_table(histograms[found], found)
        for name in merging
        for found in [choose_histogram(name, config.regions, OBSERVABLE, histograms)]
    }
    source_data = read_source_data(
        tables,
        merging,
        config,
        read_estimate(config.samples, read_json(corrections / "transfer_factor.json")),
    )
    evaluators = read_corrections(config.weights, analysis.quantities, corrections / "shapes.json")
    universe = Universe(analysis, config, binning, open_scorer(models, config.features, 1))
    extremes = extreme_truths(config.systematics)
    near = []
    for part in iterate_samples(skimmed, analysis, config, evaluators, len(models)):
        chosen = np.logical_or.reduce([universe.selected(part, truth) for truth in extremes])
        near.append(part.take(np.flatnonzero(chosen)))
    return universe, near, source_data


def even_parts(
    universe: Universe, events: list[SampleEvents], source_data: SourceData, names: list[str]
) -> list[dict[str, Any]]:
    """Even part of each systematic, and of all together, per region and bin."""
    zero = dict.fromkeys(universe.config.systematics, 0.0)

    def yields(**pulls: float) -> dict[str, Any]:
        return universe.expected(events, Truth(1.0, {**zero, **pulls}, {}), source_data)

    nominal, found = yields(), []
    for name in names:
        up, down = yields(**{name: 1.0}), yields(**{name: -1.0})
        found.append({r: 0.5 * (up[r] + down[r]) - y for r, y in nominal.items()})
    return [*found, {r: sum(item[r] for item in found) for r in nominal}]


def biases(model: CompiledModel, nominal: dict[str, Any], changes: list[dict[str, Any]]) -> Any:
    """Change of μ̂ of the Asimov data under each change of the yields."""
    auxiliary = model.expected_auxiliary(model.nominal(1.0))
    data = np.array(
        [
            np.concatenate([*(nominal[r] + change.get(r, 0.0) for r in model.regions), auxiliary])
            for change in [{}, *changes]
        ]
    )
    mu = fit_pseudo_data(model, data, model.nominal(1.0), levels=[1.0])[0]["mu_hat"]
    return mu[1:] - mu[0]


def halves(parts: list[SampleEvents], rng: np.random.Generator) -> list[list[SampleEvents]]:
    """Divide events at random; each half stands for all."""
    found: list[list[SampleEvents]] = [[], []]
    for part in parts:
        first = rng.random(len(part.weights)) < 0.5
        for half, chosen in zip(found, (first, ~first), strict=True):
            taken = part.take(np.flatnonzero(chosen))
            doubled = {name: 2.0 * values for name, values in taken.alternatives.items()}
            half.append(replace(taken, weights=2.0 * taken.weights, alternatives=doubled))
    return found


def main(folder: Path) -> None:
    config = read_config([], Path.cwd())
    universe, events, source_data = open_universe(folder, config)
    model = compile_model(read_json(folder / f"workspaces/{OBSERVABLE}.json"))
    names = [name for name, item in config.systematics.items() if item.kind == "kinematic"]
    zero = Truth(1.0, dict.fromkeys(config.systematics, 0.0), {})
    nominal = universe.expected(events, zero, source_data)
    found = biases(model, nominal, even_parts(universe, events, source_data, names))
    rng = np.random.default_rng(1)
    differences = []
    for _ in range(SPLITS):
        pair = [
            biases(model, nominal, even_parts(universe, half, source_data, names))
            for half in halves(events, rng)
        ]
        differences.append(0.5 * (pair[0] - pair[1]))
    noise = np.sqrt(np.mean(np.square(differences), axis=0))
    for name, bias, error in zip([*names, "all"], found, noise, strict=True):
        print(f"{name:32s} bias {bias:+.2f} ± {error:.2f} (noise of the simulation)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
