"""Bundles of runs, and the comparison of every number."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from taipan.atomic import write_json, write_text
from taipan.checksums import record_files, record_path
from taipan.cli import main
from taipan.config.load import load_catalogue, read_config
from taipan.config.slices import hash_config
from taipan.errors import TaipanError
from taipan.provenance_command import read_origin
from taipan.reproduce import compare, read_bundle, write_bundle
from taipan.reproduce.command import format_table, prepare_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results of a run of the default configuration, made up."""
    folder = tmp_path / "results/htautau"
    provenance = {"config": hash_config(read_config([], ROOT)), "code": "c0de", "packages": {}}
    summary = {"provenance": provenance, "result_sha256": "5ha", "seconds": {"fit": 1.0},
               "expected": {"mu_hat": 1.0, "interval": [0.5, 1.5]}}  # fmt: skip
    write_json(folder / "summary.json", summary)
    write_text(folder / "yields.csv", "region,process,yield,stat\nsignal,ggH,2.5,0.1\n")
    write_json(folder / "workspace.json", {"channels": []})
    write_json(folder / "fit/nn_score.json", {"mu_hat": 1.0})
    write_text(folder / "templates/templates.zip", "t")
    write_text(folder / "models/fold0.onnx", "m")
    return folder


def bundle(results: Path, path: Path, *overlays: Path) -> Path:
    config = read_config(overlays, ROOT)
    write_bundle(path, config, load_catalogue(config, ROOT), results, ROOT)
    return path


def test_bundle_gives_the_same_configuration(results: Path, tmp_path: Path) -> None:
    """Defaults, analysis and catalogue are read again from the new folder alone."""
    path = bundle(results, tmp_path / "b.zip")
    content = read_bundle(path)
    assert set(content.results) == {
        "summary.json", "yields.csv", "workspace.json", "fit/nn_score.json",
    }  # fmt: skip
    assert set(content.about["sha256"]) >= {"templates/templates.zip", "models/fold0.onnx"}
    folder = tmp_path / "new"
    prepare_folder(content, folder, ROOT)
    again = read_config([], folder)
    assert hash_config(again) == content.about["config"]
    assert load_catalogue(again, folder) == load_catalogue(read_config([], ROOT), ROOT)
    assert (folder / "requirements.lock").read_bytes() == (ROOT / "requirements.lock").read_bytes()
    assert (folder / "Snakefile").is_file()


def test_equal_runs_give_equal_bundles(results: Path, tmp_path: Path) -> None:
    first, second = (bundle(results, tmp_path / name) for name in ("a.zip", "b.zip"))
    assert first.read_bytes() == second.read_bytes()


def test_bundle_of_another_configuration_is_refused(results: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "o.yaml"
    overlay.write_text("seed: 7\n", encoding="utf-8")
    with pytest.raises(TaipanError, match="was made with configuration"):
        bundle(results, tmp_path / "b.zip", overlay)
    assert not (tmp_path / "b.zip").exists()


def test_new_folder_must_be_empty(results: Path, tmp_path: Path) -> None:
    content = read_bundle(bundle(results, tmp_path / "b.zip"))
    with pytest.raises(TaipanError, match="is not empty"):
        prepare_folder(content, tmp_path, ROOT)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("project/../../evil", "leaves the folder"),
        ("project//etc/evil", "leaves the folder"),
        ("project/Snakefile", "which is code"),
        ("project/scripts/fit.py", "which is code"),
        ("project/./scripts/fit.py", "which is code"),
        ("project/src/taipan/cli.py", "which is code"),
    ],
)
def test_hostile_bundle(results: Path, tmp_path: Path, entry: str, message: str) -> None:
    path = bundle(results, tmp_path / "b.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, "print('owned')")
    with pytest.raises(TaipanError, match=message):
        prepare_folder(read_bundle(path), tmp_path / "new", ROOT)
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"x" * 1000])
def test_not_a_bundle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.zip").write_bytes(content)
    with pytest.raises(TaipanError, match=r"b\.zip is not a readable bundle"):
        read_bundle(tmp_path / "b.zip")


def files(**changes: Any) -> dict[str, str]:
    content = {"mu": 1.0, "zero": 0.0, "label": "x", "list": [1, 2], "seconds": 3.0, **changes}
    return {
        "summary.json": json.dumps(content),
        "yields.csv": "region,process,yield\nsignal,ggH,2.0\n",
    }


@pytest.mark.parametrize(
    ("changes", "where", "relative"),
    [
        ({}, None, 0.0),
        ({"seconds": 9.0}, None, 0.0),
        ({"mu": 1.0 + 1e-7}, None, 0.0),
        ({"zero": 1e-10}, None, 0.0),
        ({"mu": 1.01}, "summary.json: mu", 0.01 / 1.01),
        ({"list": [1, 4]}, "summary.json: list[1]", 0.5),
        ({"list": [1]}, "summary.json: list[1]", float("inf")),
        ({"label": "y"}, "summary.json: label", float("inf")),
        ({"mu": True}, "summary.json: mu", float("inf")),
        ({"mu": float("nan")}, "summary.json: mu", float("inf")),
    ],
)
def test_every_number_is_compared(
    changes: dict[str, Any], where: str | None, relative: float
) -> None:
    compared, differences = compare(files(), files(**changes), 1e-6)
    assert compared == 6
    assert [item.where for item in differences] == ([where] if where else [])
    if where:
        assert differences[0].relative == pytest.approx(relative)


def test_yields_are_compared_by_region_and_process() -> None:
    other = {**files(), "yields.csv": "region,process,yield\nsignal,ggH,2.2\n"}
    _, (difference,) = compare(files(), other, 1e-6)
    assert difference.where == "yields.csv: signal ggH.yield"
    table = format_table(6, [difference], {"templates/templates.zip": False}, 1e-6)
    assert "| yields.csv: signal ggH.yield | 2.0 | 2.2 | 0.091 |" in table
    assert "| templates/templates.zip | no |" in table


def test_origin_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A ZIP file, which has no provenance of its own, and JSON, which has."""
    archive, document = tmp_path / "templates.zip", tmp_path / "fit.json"
    archive.write_bytes(b"t")
    write_json(document, {"provenance": {"stage": "fit"}})
    record_files([archive], {"rule": "combine_templates"})
    assert read_origin(archive)["recorded"] == {"rule": "combine_templates"}
    assert read_origin(document)["embedded"] == {"stage": "fit"}
    assert main(["provenance", str(archive)]) == 0
    assert json.loads(capsys.readouterr().out)["recorded"]["rule"] == "combine_templates"
    archive.write_bytes(b"changed")
    assert main(["provenance", str(archive)]) == 1
    assert "is damaged" in capsys.readouterr().err
    shutil.rmtree(record_path(archive).parent)
    with pytest.raises(TaipanError, match="carries no provenance"):
        read_origin(archive)
