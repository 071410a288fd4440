"""The published folder of a finished run: whole, and its scores come back without Taipan."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from taipan.cli.main import main
from taipan.publish import command
from tests.project import RESULTS, SMOKE, Project

# hepdata-validator leaves the files that it has read to the garbage collector
pytestmark = [
    pytest.mark.workflow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
EVENTS, MODEL, CRATE = "reference_events.csv", "models/model.json", "ro-crate-metadata.json"


def publish(project: Project, out: Path, *more: str, results: Path | None = None) -> int:
    place = str(results or project.path / RESULTS)
    os.chdir(project.path)
    return main(["publish", place, "--out", str(out), "--configfile", SMOKE, *more])


@pytest.fixture(scope="module")
def published(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("publish") / "published"
    here = Path.cwd()
    try:
        assert publish(finished, out) == 0
    finally:
        os.chdir(here)
    return out


@pytest.fixture
def copied(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "copied"))


@pytest.fixture(autouse=True)
def stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path.cwd())  # undone after the test


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script where neither Taipan nor a package but numpy and onnxruntime is found."""
    blocked = "import sys; sys.modules['taipan'] = sys.modules['onnx'] = None; import runpy; "
    script = f"sys.argv = ['check']; runpy.run_path({str(folder / 'check_scores.py')!r}, None, "
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", f"{blocked}{script}'__main__')"], cwd=folder, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip


def read_events(folder: Path) -> list[list[str]]:
    return list(csv.reader((folder / EVENTS).read_text(encoding="utf-8").splitlines()))


def write_events(folder: Path, rows: list[list[str]]) -> None:
    text = "\n".join(",".join(row) for row in rows)
    (folder / EVENTS).write_text(text + "\n", encoding="utf-8")


def test_folder_is_complete_and_its_crate_has_every_file(published: Path) -> None:
    files = {
        path.relative_to(published).as_posix() for path in published.rglob("*") if path.is_file()
    }
    expected = {"README.md", "LICENSE", "CITATION.cff", "check_scores.py", EVENTS, MODEL, CRATE,
                "efficiencies.json", "score_shapes.csv", "models/fold0.onnx", "models/fold1.onnx",
                "likelihood/workspace.json", "likelihood/hs3.json", "likelihood/fit.json",
                "likelihood/hs3_certificate.json", "likelihood/yields.csv",
                "likelihood/cutflow.csv", "likelihood/cutflow.json",
                "likelihood/hepdata/submission.yaml"}  # fmt: skip
    assert expected <= files
    graph = json.loads((published / CRATE).read_text(encoding="utf-8"))["@graph"]
    listed = {item["@id"]: item for item in graph if item["@type"] == "File"}
    assert set(listed) == files - {CRATE}
    root = next(item for item in graph if item["@id"] == "./")
    assert {item["@id"] for item in root["hasPart"]} == set(listed)
    for name, item in listed.items():
        content = (published / name).read_bytes()
        assert item["sha256"] == hashlib.sha256(content).hexdigest()
        assert item["contentSize"] == str(len(content))
        assert item["name"]
        assert item["encodingFormat"]


def test_networks_and_likelihood_are_those_of_the_run(published: Path, finished: Project) -> None:
    results = finished.path / RESULTS
    for name in ("fold0.onnx", "fold1.onnx"):
        own = (published / "models" / name).read_bytes()
        assert own == (results / "models" / name).read_bytes()
    own = (published / "likelihood/workspace.json").read_bytes()
    assert own == (results / "workspace.json").read_bytes()
    certificate = json.loads((published / "likelihood/hs3_certificate.json").read_text())
    assert certificate["to"]["format"] == "hs3"


def test_a_thousand_scores_come_back_with_onnxruntime_alone(published: Path) -> None:
    rows = read_events(published)
    assert len(rows) == 1001
    column = {name: i for i, name in enumerate(rows[0])}
    hashes = [row[column["event_hash"]] for row in rows[1:]]
    assert len(set(hashes)) == 1000
    assert {row[column["fold"]] for row in rows[1:]} == {"0", "1"}
    assert "data" not in {row[column["process"]] for row in rows[1:]}
    assert any(row[column["jpt_1"]] == "" for row in rows[1:])
    done = check(published)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1000 events, 1 network(s): the scores are those of the run")


def permute_names(rows: list[list[str]], column: dict[str, int]) -> None:
    a, b = column["pt_1"], column["eta_1"]
    rows[:] = [[*row[:a], row[b], *row[a + 1 : b], row[a], *row[b + 1 :]] for row in rows]


def permute_values(rows: list[list[str]], column: dict[str, int]) -> None:
    a, b = column["eta_1"], column["eta_2"]
    for row in rows[1:]:
        row[a], row[b] = row[b], row[a]


def take_mev(rows: list[list[str]], column: dict[str, int]) -> None:
    for row in rows[1:]:
        row[column["met"]] = str(1000.0 * float(row[column["met"]]))


def take_other_fold(rows: list[list[str]], column: dict[str, int]) -> None:
    rows[7][column["fold"]] = str(1 - int(rows[7][column["fold"]]))


def drop_column(rows: list[list[str]], column: dict[str, int]) -> None:
    for row in rows:
        del row[column["m_vis"]]


def empty_cell(rows: list[list[str]], column: dict[str, int]) -> None:
    rows[4][column["m_vis"]] = ""


def other_default(rows: list[list[str]], column: dict[str, int]) -> None:
    for row in rows[1:]:
        row[column["jpt_1"]] = row[column["jpt_1"]] or "-999"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (permute_names, "inputs permuted: reference_events.csv: 'eta_1' is in place 0"),
        (permute_values, "are inputs permuted?)"),
        (take_mev, "wrong unit: line 2: 'met' is"),
        (take_other_fold, "wrong fold: line 8: fold is"),
        (drop_column, "missing column: 'm_vis' is not in reference_events.csv"),
        (empty_cell, "missing default: line 5: 'm_vis' is empty, and it has no default"),
        (other_default, "'jpt_1' is -999, outside its range"),
    ],
)
def test_wrong_events_are_refused_by_name(
    copied: Path, change: Callable[[list[list[str]], dict[str, int]], None], message: str
) -> None:
    rows = read_events(copied)
    change(rows, {name: i for i, name in enumerate(rows[0])})
    write_events(copied, rows)
    done = check(copied)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def swap_inputs(model: dict[str, Any]) -> None:
    a, b = model["inputs"][:2]
    a["name"], b["name"] = b["name"], a["name"]


def move_input(model: dict[str, Any]) -> None:
    model["inputs"].append(model["inputs"].pop(0))


def drop_default(model: dict[str, Any]) -> None:
    del model["inputs"][14]["default"]


def forbid_missing(model: dict[str, Any]) -> None:
    model["inputs"][14]["default"] = None


def swap_folds(model: dict[str, Any]) -> None:
    files = model["networks"][0]["files"]
    files[0]["file"], files[1]["file"] = files[1]["file"], files[0]["file"]
    files[0]["sha256"], files[1]["sha256"] = files[1]["sha256"], files[0]["sha256"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swap_inputs, "inputs permuted: fold0.onnx and model.json differ in input 0"),
        (move_input, "inputs permuted: model.json: 'pt_2' is in place 0, its position is 1"),
        (drop_default, "missing default: model.json: input 14 has no 'default'"),
        (forbid_missing, "missing default: model.json: 'jpt_1' needs one"),
        (swap_folds, "wrong fold: fold1.onnx is of fold 1"),
    ],
)
def test_another_description_is_refused_by_name(
    copied: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    model = json.loads((copied / MODEL).read_text(encoding="utf-8"))
    change(model)
    (copied / MODEL).write_text(json.dumps(model), encoding="utf-8")
    done = check(copied)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_another_network_is_refused(copied: Path) -> None:
    shutil.copyfile(copied / "models/fold1.onnx", copied / "models/fold0.onnx")
    assert "wrong file: fold0.onnx: its SHA-256 is another one" in check(copied).stderr


def test_efficiencies_are_those_of_the_events(published: Path) -> None:
    """At the threshold the signal has the efficiency that was asked for, to a step of 0.001."""
    points = json.loads((published / "efficiencies.json").read_text(encoding="utf-8"))["nn_score"]
    assert [item["signal_efficiency"] for item in points] == [0.9, 0.8, 0.7, 0.5, 0.3]
    thresholds = [item["threshold"] for item in points]
    assert thresholds == sorted(thresholds)
    for item in points:
        found = item["efficiency"]["signal"]
        assert min(found["ggH"]["value"], found["qqH"]["value"]) < item["signal_efficiency"] + 0.01
        assert max(found["ggH"]["value"], found["qqH"]["value"]) > item["signal_efficiency"] - 0.01


def test_a_failure_leaves_no_folder_and_keeps_an_old_one(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "published"
    assert publish(finished, out) == 0
    old = (out / CRATE).read_bytes()
    assert publish(finished, out) == 1
    assert f"--out: {out} exists; --force replaces it" in capsys.readouterr().err

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(command, "write_crate", fail)
        assert publish(finished, out, "--force") == 1
        assert publish(finished, tmp_path / "other") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["published"]
    assert (out / CRATE).read_bytes() == old
    (out / "note.txt").touch()
    assert publish(finished, out, "--force") == 0
    assert not (out / "note.txt").exists()
    (tmp_path / "mine").mkdir()
    assert publish(finished, tmp_path / "mine", "--force") == 1
    assert "was not made by taipan publish" in capsys.readouterr().err


def test_unfinished_damaged_blinded_and_without_networks(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    results, out = project.path / RESULTS, tmp_path / "out"
    assert publish(project, out, results=tmp_path / "none") == 1
    assert "no finished run (summary.json is missing)" in capsys.readouterr().err
    for name, more in (("yields.csv", b"x"), ("models/fold1.onnx", b"\x72\x00")):
        content = (results / name).read_bytes()  # of ONNX: one more property, without a name
        (results / name).write_bytes(content + more)
        assert publish(project, out) == 1
        assert f"{name} is damaged" in capsys.readouterr().err
        (results / name).write_bytes(content)
    fit = results / "fit/nn_score.json"
    found = json.loads(fit.read_text(encoding="utf-8"))
    fit.write_text(json.dumps({**found, "observed": None}), encoding="utf-8")
    (fit.parent / ".checksums/nn_score.json.json").unlink()
    read_run = command.read_run

    def without_networks(*arguments: Any) -> Any:
        config, catalogue, place = read_run(*arguments)
        return config.model_copy(update={"features": []}), catalogue, place

    monkeypatch.setattr(command, "read_run", without_networks)
    assert not out.exists()
    assert publish(project, out) == 0
    text = capsys.readouterr().out
    for note in ("The analysis has no network", "The run is blinded"):
        assert note in text
        assert note in (out / "README.md").read_text(encoding="utf-8")
    for name in ("models", EVENTS, "check_scores.py", "likelihood/hepdata"):
        assert not (out / name).exists()
