"""The networks of a run for others: ONNX files, what they need, and events to check them by."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import onnx

from taipan.atomic import write_json, write_text
from taipan.checksums import file_digest, verify_files
from taipan.commands.run_events import RunEvents, list_models
from taipan.config.networks import find_result, list_scores
from taipan.errors import TaipanError
from taipan.export.tables import to_csv
from taipan.nn.scorer import read_model_card
from taipan.publish import check_scores
from taipan.publish.performance import Performance
from taipan.publish.reference import InputRanges, ReferenceEvents
from taipan.templates.flat import HASH

FORMAT = 1
_OPSET = 17
"""Of every network that this package writes; every onnxruntime since 1.12 (2022) reads it."""
_SCRIPT = "check_scores.py"
_HASH_RULE = (
    "event_hash = mix(mix(mix(run) ^ luminosityBlock) ^ event) in unsigned 64 bits, "
    "mix(x) = SplitMix64 of x; where the files have no event number, a hash of columns that no "
    "shift changes"
)


def write_networks(folder: Path, run: RunEvents) -> None:
    """Write the networks, the reference events, what the networks do, and the script that checks.

    Parameters
    ----------
    folder
        Folder that is published.
    run
        Its events, with `event_hash`.

    Raises
    ------
    TaipanError
        If a file of the run is damaged, or the files that were written do not give its scores.
    """
    scores = list(run.scorers)
    features = run.config.features
    reference, ranges = ReferenceEvents(features, scores), InputRanges(features)
    signals = [name for name, item in run.config.samples.items() if item.role == "signal"]
    regions = [name for name, item in run.config.regions.items() if item.role == "signal"]
    performance = Performance(scores, signals, regions)
    for dataset, item in run.catalogue.datasets.items():
        if dataset in run.nominal and not item.is_data:
            for rows in run.rows(dataset):
                reference.add(rows)
                ranges.add(rows)
                performance.add(rows)
    write_json(folder / "models" / "model.json", _describe(folder / "models", run, ranges))
    write_text(folder / check_scores.REFERENCE_FILE, reference.to_csv())
    write_json(folder / "efficiencies.json", performance.working_points())
    write_text(folder / "score_shapes.csv", to_csv(performance.shapes()))
    shutil.copyfile(Path(check_scores.__file__), folder / _SCRIPT)
    try:
        check_scores.check(folder, folder / check_scores.REFERENCE_FILE)
    except check_scores.CheckError as error:
        raise TaipanError(f"{folder.name}: {_SCRIPT}: {error}") from error


def _describe(folder: Path, run: RunEvents, ranges: InputRanges) -> dict[str, Any]:
    """Copy the files of the networks; give the content of ``model.json``."""
    config = run.config
    names = list_scores(config)
    networks: list[dict[str, Any]] = [
        {
            "name": name,
            "score": score,
            "is_result": name == find_result(config),
            "outputs": list(run.scorers[score].classes.names),
            "signal": _signal(run, score),
            "files": _copy_files(folder, run, name),
        }
        for name, score in names.items()
    ]
    card = read_model_card(folder / networks[0]["files"][0]["file"])
    optional = json.loads(card["may_be_missing"])
    return {
        "format": FORMAT,
        "analysis": config.analysis,
        "opset": _OPSET,
        "tensors": {"input": "features", "output": "score", "type": "float32"},
        "preprocessing": "inside the ONNX files: give raw values",
        "inputs": [
            {
                "name": name,
                "position": place,
                "unit": run.analysis.quantities[name].unit,
                "meaning": run.analysis.quantities[name].meaning,
                "minimum": ranges.of(name)[0],
                "maximum": ranges.of(name)[1],
                "default": "nan" if optional[place] else None,
            }
            for place, name in enumerate(config.features)
        ],
        "range_of": "simulated events in the regions of the analysis, without variations",
        "default": "the value to give where an event has none (not a number); null: always there",
        "output": "from 0 (like background) to 1 (like signal); the sum of the outputs in 'signal'",
        "routing": {
            "column": HASH,
            "folds": run.folds,
            "rule": f"fold = event_hash modulo {run.folds}; the network of a fold was trained "
            "without the events of this fold",
            "event_hash": _HASH_RULE,
        },
        "networks": networks,
    }


def _signal(run: RunEvents, score: str) -> list[int]:
    classes = run.scorers[score].classes
    return list(classes.signal) if classes.softmax else [0]


def _copy_files(folder: Path, run: RunEvents, network: str) -> list[dict[str, Any]]:
    """Copy the ONNX files of a network, and say which fold each is of."""
    found = []
    for source in list_models(run.results, network):
        verify_files([source])
        name = f"{network}/{source.name}" if network else source.name
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        check_opset(target)
        fold = int(read_model_card(target)["fold"])
        found.append({"fold": fold, "file": name, "sha256": file_digest(target)})
    return sorted(found, key=lambda item: item["fold"])


def check_opset(path: Path) -> None:
    """Refuse a network of another version of ONNX's operators, or with more than one input.

    Raises
    ------
    TaipanError
        With the version, or the inputs, that it has.
    """
    model = onnx.load(path)
    versions = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    if versions != [_OPSET]:
        raise TaipanError(f"{path.name}: opset {versions}, {_OPSET} is allowed; train again")
    inputs = [item.name for item in model.graph.input]
    if inputs != ["features"]:
        raise TaipanError(
            f"{path.name}: inputs {inputs}, only 'features' is allowed: preprocessing is inside"
        )
