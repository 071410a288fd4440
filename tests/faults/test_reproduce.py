"""A published bundle, run again in a new folder, gives every number again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import SMOKE, Project

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
