"""Bias and uncertainty with and without adversary, on fastsim with a known mismodelling.

    snakemake --configfile config/examples/fastsim-full.yaml OVERLAY -- \
        FOLDER/htautau/corrections/shapes.json
    python benchmarks/adversary_fastsim.py FOLDER REFERENCE --strengths 0 30 --output FILE

FOLDER and REFERENCE are `results` of two runs that differ in `fastsim.mismodelling` alone;
REFERENCE has none, and the same random numbers. Networks are trained on FOLDER (three folds), whose
control sample shows the mismodelling if it can be seen there. Both sets of pseudo-data are then
analysed with the same networks: templates (QCD from their own same-sign data), all systematics,
with and without the control residual. μ̂ is the maximum of the likelihood with the expected yields
linear in the parameters (Gauss-Newton). A pseudo-data set is a Poisson draw of every bin; the bias
is the difference of the mean μ̂ of the two, in which fluctuations of the templates cancel. Its
statistical error is that of the events which the mismodelling moves between bins (the two sets hold
the same events): the sum over events of the squared change of what they add to μ̂, to first order.
`--pairs FOLDER REFERENCE ...` are further pairs, of another `seed`, which the same networks
analyse; the bias is then the mean over all pairs.

With `--models` the networks stay there, and a later call with the same events, settings and code
analyses them again without training: another definition of the residual costs seconds.

The networks have the settings of `TRAINING`, whatever the configuration says, so that the table of
docs/adversary_measurements.md can be repeated; `trained_with` of each row has digests of settings,
events and the code, and what the last bits depend on besides, so that rows that differ in one of
them are not taken for repetitions. `auc` judges each event by the network that never saw it,
`validation_auc` is the mean of the validation folds at the epoch that is kept (that of the table).
With one FOLDER and `--draws N`, data of the control region are drawn N times from what is expected
there: `drawn` has the order of the residual and σ(μ) of each.
One JSON object a line, a line a training.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.labels import DATA, NOMINAL

Array = NDArray[Any]
FOLDS, PSEUDO_DATA = 3, 200
TRAINING = {"dropout": 0.3, "l2": 0.001, "learning_rate": 0.001, "schedule": "constant"}
TRAINING |= {"networks": 1, "activation": "relu"}
RESIDUAL = {"kind": "control_residual", "region": "w_control", "samples": ["W", "TT", "ZLL", "ZTT"]}
ROOT = Path(__file__).parents[1]


def linear_fit(workspace: Mapping[str, Any]) -> tuple[Callable[[Array], float], Array, float]:
    """Give counts → μ̂, the observed counts, and the expected σ(μ)."""
    from taipan.likelihood.asimov import STEP, _model, _widths

    model = _model(workspace)
    config = model.config
    start = np.array(config.suggested_init())
    width, free = _widths(config)
    expected = np.asarray(model.expected_actualdata(start.tolist()))
    used = [i for i, fixed in enumerate(config.suggested_fixed()) if not fixed]
    columns = []
    for i in used:
        step = np.zeros_like(start)
        step[i] = STEP * width[i]
        sides = [model.expected_actualdata((start + sign * step).tolist()) for sign in (1, -1)]
        columns.append((np.asarray(sides[0]) - np.asarray(sides[1])) / (2.0 * STEP * width[i]))
    slopes = np.stack(columns, axis=1)
    prior = np.diag([0.0 if free[i] else width[i] ** -2 for i in used])
    place = used.index(int(config.poi_index))
    counts = {item["name"]: item["data"] for item in workspace["observations"]}
    observed = np.concatenate([counts[name] for name in config.channels])

    def fit(seen: Array) -> float:
        shift = np.zeros(len(used))
        for _ in range(6):
            variance = np.clip(expected + slopes @ shift, 1e-3, None)
            information = slopes.T @ (slopes / variance[:, None]) + prior
            shift = np.linalg.solve(information, slopes.T @ ((seen - expected) / variance))
        return float(1.0 + shift[place])

    information = slopes.T @ (slopes / expected[:, None]) + prior
    return fit, observed, float(np.sqrt(np.linalg.inv(information)[place, place]))


def open_run(folder: Path, config: Any, analysis: Any) -> SimpleNamespace:
    """Events of a run, and the files that its rules measured."""
    from taipan.atomic import read_json
    from taipan.events.inputs import SkimmedEvents

    base = folder / config.analysis
    names = [*config.data, *(d for item in config.samples.values() for d in item.datasets)]
    files = {name: sorted((base / "events" / name).glob("*.parquet")) for name in names}
    measured = (base / "normalisation.json", base / "corrections/pileup.json")
    return SimpleNamespace(
        datasets=SkimmedEvents(files, *measured).open(analysis, FOLDS),
        transfer=read_json(base / "corrections/transfer_factor.json"),
        shapes=str(base / "corrections/shapes.json"),
    )


def describe_training(run: Any, config: Any, seed: int) -> dict[str, str]:
    """Digests of all that a training depends on, and the processor."""
    from importlib.metadata import version

    from taipan.code_version import code_version

    events = hashlib.sha256(json.dumps(run.transfer, sort_keys=True).encode())
    for item in run.datasets:
        weights = [] if item.is_data else [item.weights.nominal]
        for values in (*item.columns.values(), item.folds, *weights):
            events.update(np.ascontiguousarray(values))
    keys = ("training", "overtraining", "samples", "regions", "features", "data")
    settings = hashlib.sha256(config.model_dump_json(include=set(keys)).encode())
    return {
        "seed": str(seed),
        "settings": settings.hexdigest()[:12],
        "events": events.hexdigest()[:12],
        "code": code_version("taipan.nn.inputs", "taipan.nn.train", analysis=config.folder),
        "tensorflow": version("tensorflow"),
        "numpy": version("numpy"),
        "processor": processor(),
    }


def processor() -> str:
    """Family and model: other vector instructions round otherwise."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    wanted = ("vendor_id", "cpu family", "model")
    found = dict(line.partition(":")[::2] for line in lines[:30] if ":" in line)
    found = {key.strip(): value.strip() for key, value in found.items()}
    return " ".join(found.get(key, "") for key in wanted)


def influence(workspace: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Change of μ̂ by one more observed event, for each bin of each channel, and its edges."""
    fit, observed, _ = linear_fit(workspace)
    central = fit(observed)
    changes = [fit(observed + unit) - central for unit in np.eye(len(observed))]
    sizes = {item["name"]: len(item["data"]) for item in workspace["observations"]}
    found, start = {}, 0
    for name in sorted(sizes):  # the order of pyhf
        edges = record["regions"][name]["edges_after"]
        found[name] = {"edges": edges, "changes": changes[start : start + sizes[name]]}
        start += sizes[name]
    return found


def event_influence(
    run: Any, found: Mapping[str, Any], config: Any, analysis: Any, scorer: Any
) -> tuple[Array, Array]:
    """Hash of the data events that count, and by how much each moves μ̂, also through QCD."""
    from taipan.estimates.registry import read_estimate
    from taipan.events.selection import region_masks

    estimate = read_estimate(config.samples, run.transfer)
    hashes, values = [], []
    for events in run.datasets:
        if not events.is_data:
            continue
        quantities = analysis.compute(events.columns)
        masks = region_masks(quantities, config.regions)
        for name, item in found.items():
            edges, changes = np.asarray(item["edges"]), np.asarray(item["changes"])
            source = estimate.source(name)
            for region, sign in ((name, 1.0), (source, -estimate.factor(name))):
                chosen = np.flatnonzero(masks[region])
                features = np.stack([quantities[key][chosen] for key in config.features], axis=1)
                scores = scorer.score(features.astype(np.float32), events.folds[chosen])
                bins = np.clip(np.digitize(scores, edges) - 1, 0, len(changes) - 1)
                values.append(sign * changes[bins])
                hashes.append(events.columns["event_hash"][chosen])
    return np.concatenate(hashes), np.concatenate(values)


def paired_error(first: tuple[Array, Array], second: tuple[Array, Array]) -> float:
    """Statistical error of the difference of two μ̂ from the same events, Poisson distributed."""
    keys, place = np.unique(np.concatenate([first[0], second[0]]), return_inverse=True)
    moved = np.bincount(place, np.concatenate([first[1], -second[1]]), len(keys))
    return float(np.sqrt(np.sum(moved**2)))


def analyse(
    run: Any, shapes: str, config: Any, analysis: Any, scorer: Any, draws: int = 0
) -> dict[str, Any]:
    """μ̂ of the pseudo-data sets and σ(μ), with and without residual."""
    from taipan.adversary_scan.point import estimate_from_data, fill_total
    from taipan.events.variations import template_variations
    from taipan.likelihood import build_workspace

    variations = template_variations(config.systematics, config.samples)
    total = fill_total(run.datasets, analysis, config, shapes, scorer, variations)
    templates, residuals = estimate_from_data(total, config, variations, run.transfer)
    plain = {key: item for key, item in config.systematics.items() if key != "residual"}
    found: dict[str, Any] = {"curve": residuals["residual"][config.fit.observable]}
    for key, systematics in (("plain", plain), ("residual", config.systematics)):
        chosen = config.model_copy(update={"systematics": systematics})
        workspace, record = build_workspace(templates, chosen, config.fit.observable, run.transfer)
        if key == "plain":
            found["influence"] = influence(workspace, record)
        fit, observed, sigma = linear_fit(workspace)
        generator = np.random.default_rng(7)
        drawn = [fit(generator.poisson(observed)) for _ in range(PSEUDO_DATA)]
        found[key] = {
            "mu": fit(observed),
            "sigma": sigma,
            "mean": float(np.mean(drawn)),
            "spread": float(np.std(drawn, ddof=1)),
        }
    if draws:
        found["drawn"] = draw_control(total, config, variations, run.transfer, draws)
    return found


def draw_control(
    total: Any, config: Any, variations: Any, transfer: Mapping[str, Any], draws: int
) -> dict[str, list[float]]:
    """Order of the residual and σ(μ) if data of the control region are drawn from simulation.

    What is drawn follows simulation and same-sign estimate within their statistical errors: all
    that is found is chance.
    """
    import hist

    from taipan.adversary_scan.point import estimate_from_data
    from taipan.likelihood import build_workspace

    name, region = config.fit.observable, RESIDUAL["region"]
    estimated, _ = estimate_from_data(total, config, variations, transfer)
    axes = [list(total.axes[i]) for i in range(3)]
    place, nominal = axes[1].index(region), axes[2].index(NOMINAL)
    rows = [axes[0].index(sample) for sample in config.samples]
    cells = estimated.view(flow=True)[rows, place, nominal]
    expected, variance = (cells[key].sum(axis=0) for key in ("value", "variance"))
    generator = np.random.default_rng(11)
    found: dict[str, list[float]] = {"order": [], "sigma": []}
    for _ in range(draws):
        drawn: hist.Hist = total.copy(deep=True)
        mean = generator.normal(expected, np.sqrt(variance))
        counts = generator.poisson(np.clip(mean, 0.0, None)).astype(float)
        cell = drawn.view(flow=True)
        for key in ("value", "variance"):
            cell[key][axes[0].index(DATA), place, nominal] = counts
        templates, residuals = estimate_from_data(drawn, config, variations, transfer)
        workspace, _ = build_workspace(templates, config, name, transfer)
        found["order"].append(residuals["residual"][name]["order"])
        found["sigma"].append(linear_fit(workspace)[2])
    return found


def compare(run: Any, other: Any, shapes: str, config: Any, scorer: Any) -> dict[str, Any]:
    """Bias: mismodelled pseudo-data against those of the same random numbers without."""
    from taipan.analysis_selection import load_analysis

    analysis = load_analysis(config.folder, config.quantities)
    found = [analyse(item, shapes, config, analysis, scorer) for item in (run, other)]
    moved = [
        event_influence(item, part["influence"], config, analysis, scorer)
        for item, part in zip((run, other), found, strict=True)
    ]
    bias = {key: found[0][key]["mean"] - found[1][key]["mean"] for key in ("plain", "residual")}
    names = ("mismodelled", "reference")
    return {
        **dict(zip(names, found, strict=True)),
        "bias": bias,
        "bias_error": paired_error(*moved),
    }


def train_once(folder: Path, trained_with: Mapping[str, str], train: Callable[[], float]) -> float:
    """Train, unless the networks in the folder are of the same training; give the AUC."""
    from taipan.atomic import read_json, write_json

    about = folder / "about.json"
    known = read_json(about) if about.exists() else {}
    if known.get("trained_with") != trained_with:
        about.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        known = {"trained_with": dict(trained_with), "auc": train()}
        write_json(about, known)
    return float(known["auc"])


def study(options: argparse.Namespace, strength: float, seed: int) -> dict[str, Any]:
    """Train with one λ and one seed, and analyse both sets of pseudo-data."""
    from taipan.adversary_scan.point import train_point
    from taipan.analysis_selection import load_analysis
    from taipan.atomic import read_json
    from taipan.config.load import load_config
    from taipan.nn.scorer import FoldScorer
    from taipan.seeds import derive_seed
    from taipan.systematics.registry import make_systematic

    config = load_config({}, ROOT)
    adversary = {
        "enabled": strength > 0.0,
        "strength": strength,
        "sees": options.sees,
        "control_sample": {"neutral": options.neutral},
    }
    changes = {**TRAINING, "folds": FOLDS, "checkpoint_every": 0, "adversary": adversary}
    values = {**config.training.model_dump(), **changes}
    training = type(config.training).model_validate(values)
    systematics = {**config.systematics, "residual": make_systematic(**RESIDUAL)}
    config = config.model_copy(update={"training": training, "systematics": systematics})
    analysis = load_analysis(config.folder, config.quantities)
    start = time.process_time()
    number = derive_seed(seed, "study")
    run = open_run(options.folder, config, analysis)
    trained_with = describe_training(run, config, number)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.models / f"{strength:g}_{seed}" if options.models else Path(temporary)
        models = [folder / f"fold{i}.onnx" for i in range(FOLDS)]
        from taipan.estimates.registry import read_estimate

        record, estimate = folder / "training.json", read_estimate(config.samples, run.transfer)
        area = train_once(
            folder,
            trained_with,
            lambda: train_point(run.datasets, analysis, config, estimate, number, models, record),
        )
        trained = time.process_time()
        networks = read_json(record)["networks"]
        areas = [item["history"]["validation_auc"][item["best_epoch"]] for item in networks]
        scorer = FoldScorer(models, config.features)
        places = [options.folder, options.reference, *options.pairs] if options.reference else []
        pairs = [
            compare(
                *(open_run(item, config, analysis) for item in pair), run.shapes, config, scorer
            )
            for pair in zip(places[::2], places[1::2], strict=True)
        ]
        found = (
            pairs[0]["mismodelled"]
            if pairs
            else analyse(run, run.shapes, config, analysis, scorer, options.draws)
        )
    result = {"strength": strength, "seed": seed, "auc": area, "mismodelled": found}
    result["trained_with"] = trained_with
    result["validation_auc"] = float(np.mean(areas))
    if pairs:
        result["pairs"] = pairs
        result["bias"] = {
            key: float(np.mean([pair["bias"][key] for pair in pairs]))
            for key in ("plain", "residual")
        }
        errors = [pair["bias_error"] for pair in pairs]
        result["bias_error"] = float(np.sqrt(np.sum(np.square(errors)))) / len(pairs)
    result["cpu_seconds"] = [trained - start, time.process_time() - trained]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("reference", type=Path, nargs="?")
    parser.add_argument("--pairs", type=Path, nargs="*", default=[])
    parser.add_argument("--strengths", type=float, nargs="*", default=[0.0, 30.0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--sees", default="hidden", choices=["score", "hidden"])
    parser.add_argument("--neutral", nargs="*", default=["mt_1", "mt_tot"])
    parser.add_argument("--models", type=Path, help="folder in which the networks stay")
    parser.add_argument("--draws", type=int, default=0, help="of the control region, one folder")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    for seed in options.seeds:
        for strength in options.strengths:
            row = study(options, strength, seed)
            with options.output.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
