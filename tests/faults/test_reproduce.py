"""A published bundle, run again in a new folder, gives every number again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from taipan.checksums import record_path
from tests.project import RESULTS, SMOKE, Project

pytestmark = pytest.mark.workflow


def taipan(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "taipan.cli", *arguments],
        cwd=project.path, env={**project.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_bundle_is_reproduced_to_the_byte(finished: Project, tmp_path: Path) -> None:
    bundle, folder = tmp_path / "bundle.zip", tmp_path / "again"
    done = taipan(finished, "bundle", "--configfile", SMOKE, "--out", str(bundle))
    assert done.returncode == 0, done.stderr
    done = taipan(finished, "reproduce", str(bundle), "--folder", str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((folder / "reproduction.json").read_text(encoding="utf-8"))
    assert report["compared"] > 5000
    assert report["differences"] == []
    assert set(report["identical_files"].values()) == {True}
    assert "models/fold0.onnx" in report["identical_files"]


def change_digit(project: Project) -> str:
    path = project.path / RESULTS / "fit/nn_score.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("1", "2", 1), encoding="utf-8")
    return "fit/nn_score.json is damaged: its content is not what was written"


def forget_checksum(project: Project) -> str:
    record_path(project.path / RESULTS / "templates/templates.zip").unlink()
    return "templates/templates.zip has no checksum record"


def fail_in_the_fit(project: Project) -> str:
    """Templates are made again from other weights; then the run ends, the old summary is there."""
    overlay = project.overlay("pileup: {max_weight: 1.5}\n")
    target = f"{RESULTS}/templates/templates.zip"
    project.snakemake(
        "--forcerun", "measure_pileup", "--until", "combine_templates", config=(SMOKE, overlay)
    )
    assert (project.path / target).is_file()
    return "was made from another"


@pytest.mark.parametrize("change", [change_digit, forget_checksum, fail_in_the_fit])
def test_results_that_are_not_those_of_a_finished_run_are_not_bundled(
    project: Project, tmp_path: Path, change: Callable[[Project], str]
) -> None:
    """All of them were bundled, with status 0."""
    message = change(project)
    done = taipan(project, "bundle", "--configfile", SMOKE, "--out", str(tmp_path / "b.zip"))
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "b.zip").exists()


def test_every_file_of_a_run_says_where_it_comes_from(finished: Project) -> None:
    """Every output of every rule has a record with rule, code version and inputs."""
    outputs = [
        path
        for path in (finished.path / "results").rglob("*")
        if path.is_file()
        and not {".checksums", "logs", "benchmarks", "checkpoints"} & set(path.parts)
    ]
    assert len(outputs) > 100
    for path in outputs:
        record = path.parent / ".checksums" / f"{path.name}.json"
        origin = json.loads(record.read_text(encoding="utf-8"))["origin"]
        assert origin["rule"]
        assert origin["code"]
    done = taipan(finished, "provenance", "results/smoke/htautau/templates/templates.zip")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recorded"]["rule"] == "combine_templates"
