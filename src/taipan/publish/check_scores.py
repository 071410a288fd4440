"""Check the networks of this folder: score the reference events, and compare.

python check_scores.py [EVENTS.csv]

It needs numpy and onnxruntime, nothing else. Status 0: the scores are those of the run to 1e-6.
Status 1: they are not, or the events are wrong; one line says what.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

SCORE_TOLERANCE = 1e-6
REFERENCE_FILE = "reference_events.csv"
_KEYS = ("name", "position", "unit", "minimum", "maximum", "default")
_ROOM = 0.1
"""By which a value may lie outside the declared range, in units of its width."""


class CheckError(Exception):
    """What is wrong, in one line."""


def check(folder: Path, events: Path) -> str:
    """Score the events of a file, and compare with the scores that it has.

    Parameters
    ----------
    folder
        The published folder.
    events
        CSV file with the columns of ``reference_events.csv``.

    Returns
    -------
    str
        How many events were scored, and the largest difference.

    Raises
    ------
    CheckError
        If an input, a fold or a score is wrong.
    """
    model = read_model(folder / "models" / "model.json")
    sessions = open_networks(folder / "models", model)
    table = read_published(events, model)
    features = read_inputs(table, model)
    folds = read_folds(table, model)
    largest = 0.0
    for network in model["networks"]:
        found = score_events(sessions[network["score"]], features, folds, network["signal"])
        stated = np.array([float(text) for text in table[network["score"]]])
        difference = np.abs(found - stated)
        wrong = np.flatnonzero(~(difference <= SCORE_TOLERANCE))
        if len(wrong):
            first = wrong[0]
            raise CheckError(
                f"wrong score: line {first + 2}: {network['score']} is {stated[first]:.9g}, the "
                f"network gives {found[first]:.9g} ({len(wrong)} of {len(found)} events differ; "
                "are inputs permuted?)"
            )
        largest = max(largest, float(difference.max(initial=0.0)))
    return (
        f"{len(folds)} events, {len(model['networks'])} network(s): the scores are those of the "
        f"run, the largest difference is {largest:.2g}"
    )


def read_model(path: Path) -> dict[str, Any]:
    """Read model.json; every input must say all about itself, and stand in its place."""
    model: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for place, item in enumerate(model["inputs"]):
        for key in _KEYS:
            if key not in item:
                raise CheckError(f"missing {key}: model.json: input {place} has no '{key}'")
        if item["position"] != place:
            raise CheckError(
                f"inputs permuted: model.json: '{item['name']}' is in place {place}, its position "
                f"is {item['position']}"
            )
    return model


def open_networks(folder: Path, model: dict[str, Any]) -> dict[str, list[Any]]:
    """Open the network of each fold, and compare what it says of itself with model.json."""
    names = [item["name"] for item in model["inputs"]]
    optional = [item["default"] is not None for item in model["inputs"]]
    found: dict[str, list[Any]] = {}
    for network in model["networks"]:
        found[network["score"]] = []
        for fold, file in enumerate(network["files"]):
            path = folder / file["file"]
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != file["sha256"]:
                raise CheckError(f"wrong file: {file['file']}: its SHA-256 is another one")
            session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
            says = session.get_modelmeta().custom_metadata_map
            own = json.loads(says["features"])
            if own != names:
                pairs = enumerate(zip(own, names, strict=False))
                place = next((i for i, (a, b) in pairs if a != b), min(len(own), len(names)))
                raise CheckError(
                    f"inputs permuted: {file['file']} and model.json differ in input {place}"
                )
            for name, may, declared in zip(
                names, json.loads(says["may_be_missing"]), optional, strict=True
            ):
                if may and not declared:
                    raise CheckError(f"missing default: model.json: '{name}' needs one")
            if not int(says["fold"]) == file["fold"] == fold:
                raise CheckError(f"wrong fold: {file['file']} is of fold {says['fold']}")
            found[network["score"]].append(session)
    return found


def read_published(path: Path, model: dict[str, Any]) -> dict[str, list[str]]:
    """Read the events; all columns are there, and the inputs are in order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if len(rows) < 2:
        raise CheckError(f"no events: {path.name}")
    header = rows[0]
    names = [item["name"] for item in model["inputs"]]
    needed = [*names, model["routing"]["column"], "fold"]
    for name in [*needed, *(network["score"] for network in model["networks"])]:
        if name not in header:
            raise CheckError(f"missing column: '{name}' is not in {path.name}")
    given = [name for name in header if name in names]
    if given != names:
        place = next(i for i, name in enumerate(given) if name != (*names, "")[i])
        raise CheckError(
            f"inputs permuted: {path.name}: '{given[place]}' is in place {place}, model.json has "
            f"'{(*names, 'nothing')[place]}' there"
        )
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise CheckError(
                f"missing column: line {line} has {len(row)} cells, {len(header)} are needed"
            )
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(header)}


def read_inputs(table: dict[str, list[str]], model: dict[str, Any]) -> Any:
    """Give the inputs, shape (events, inputs), float32; each is in its declared range."""
    columns = []
    for item in model["inputs"]:
        name, values = item["name"], []
        for line, text in enumerate(table[name], start=2):
            if not text or text.lower() == "nan":
                if item["default"] is None:
                    raise CheckError(
                        f"missing default: line {line}: '{name}' is empty, and it has no default"
                    )
                values.append(float(item["default"]))
                continue
            try:
                values.append(float(text))
            except ValueError:
                raise CheckError(f"line {line}: '{name}' is '{text}', not a number") from None
        column = np.array(values)
        low, high = item["minimum"], item["maximum"]
        room = _ROOM * (high - low) + 1e-6 * max(abs(low), abs(high))
        outside = np.flatnonzero((column < low - room) | (column > high + room))
        if len(outside):
            first, unit = outside[0], f" {item['unit']}" if item["unit"] else ""
            raise CheckError(
                f"wrong unit: line {first + 2}: '{name}' is {column[first]:.6g}, outside its "
                f"range {low:.6g} to {high:.6g}{unit}"
            )
        columns.append(column.astype(np.float32))
    return np.stack(columns, axis=1)


def read_folds(table: dict[str, list[str]], model: dict[str, Any]) -> Any:
    """Give the fold of each event; it follows from the hash of the event."""
    column, count = model["routing"]["column"], int(model["routing"]["folds"])
    for line, (text, stated) in enumerate(zip(table[column], table["fold"], strict=True), start=2):
        fold = int(text) % count
        if str(fold) != stated:
            raise CheckError(
                f"wrong fold: line {line}: fold is {stated}, {column} modulo {count} is {fold}"
            )
    return np.array([int(text) for text in table["fold"]])


def score_events(sessions: Sequence[Any], features: Any, folds: Any, signal: Sequence[int]) -> Any:
    """Score each event by the network of its fold, which was trained without this fold.

    Parameters
    ----------
    sessions
        Network of each fold.
    features
        Shape (n, inputs), float32, NaN for missing values.
    folds
        Shape (n,).
    signal
        Outputs that are added up; one network output of signal: [0].

    Returns
    -------
    numpy.ndarray
        Shape (n,).
    """
    scores = np.full(len(folds), np.nan)
    for fold, session in enumerate(sessions):
        chosen = np.flatnonzero(folds == fold)
        if len(chosen):
            output = session.run(["score"], {"features": features[chosen]})[0]
            scores[chosen] = output[:, list(signal)].sum(axis=1)
    return scores


def main(arguments: Sequence[str]) -> int:
    """Run the script; 0 if all is well."""
    folder = Path(__file__).resolve().parent
    events = Path(arguments[0]) if arguments else folder / REFERENCE_FILE
    try:
        print(check(folder, events))
    except KeyError as error:
        print(f"check_scores: missing key {error}", file=sys.stderr)
    except (CheckError, OSError, ValueError) as error:
        print(f"check_scores: {' '.join(str(error).split())}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
