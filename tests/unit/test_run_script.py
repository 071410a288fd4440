"""The script `./run`: what it says before Snakemake starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose `snakemake` only says that it was started, and on which path."""
    for name in ("run", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    programs = tmp_path / "venv/bin"
    programs.mkdir(parents=True)
    scripts = {
        "taipan": f'exec "{sys.executable}" -m taipan "$@"',
        "snakemake": 'echo "snakemake, safe path: $PYTHONSAFEPATH"',
    }
    for name, text in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    state = subprocess.run(
        "cat requirements.lock pyproject.toml | cksum",
        shell=True, cwd=tmp_path, capture_output=True, check=True,
    )  # fmt: skip
    (tmp_path / "venv/.taipan-installed").write_bytes(state.stdout)
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TAIPAN_VENV": "venv"}
    environment.pop("PYTHONSAFEPATH", None)
    return subprocess.run(
        ["./run", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("dry", [[], ["-n"]])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--configfile", "missing.yaml"], "missing.yaml: cannot be read: No such file"),
        (["--configfile=missing.yaml"], "missing.yaml: cannot be read: No such file"),
        (["--configfile", "config"], "config: cannot be read: Is a directory"),
        (["--configfile", "bad.yaml"], "bad.yaml: line 1: not valid YAML"),
        (["--configfile", "seed.yaml"], "seed: '7' is not allowed (integer"),
    ],
)
def test_file_that_cannot_be_read_is_one_line(
    folder: Path, words: list[str], message: str, dry: list[str]
) -> None:
    """Snakemake shows a traceback."""
    (folder / "bad.yaml").write_text("a: [", encoding="utf-8")
    (folder / "seed.yaml").write_text("seed: '7'", encoding="utf-8")
    done = run(folder, *dry, *words)
    assert done.returncode == 1
    assert done.stderr.startswith(f"taipan: error: {message}")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_key_without_its_option_is_told_so(folder: Path) -> None:
    """Snakemake says that there is no rule to produce ``analysis=demo``."""
    done = run(folder, "analysis=demo")
    assert done.returncode == 2
    said = (
        "./run: 'analysis=demo' is a key of the configuration; say ./run --config analysis=demo\n"
    )
    assert done.stderr == said
    assert done.stdout == ""


def test_no_module_comes_from_the_working_folder(folder: Path) -> None:
    done = run(folder, "-n", "--config", "results=elsewhere")
    assert done.stdout == "snakemake, safe path: 1\n"


REPORTER = """
for word in "$@"; do case $word in *.html) echo "$REPORT" > "$word"; exit "$STATUS" ;; esac; done
"""


@pytest.mark.parametrize(("status", "kept"), [(0, "new"), (1, "old")])
def test_report_that_is_not_complete_replaces_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, status: int, kept: str
) -> None:
    """The disk was full: half a report took the place of the one of the last run."""
    monkeypatch.setenv("REPORT", "new")
    monkeypatch.setenv("STATUS", str(status))
    programs = folder / "venv/bin"
    (programs / "snakemake").write_text(f"#!/bin/sh\n{REPORTER}", encoding="utf-8")
    show = f'[ "$1" = show ] || exec "{sys.executable}" -m taipan "$@"'
    (programs / "taipan").write_text(f"#!/bin/sh\n{show}\n", encoding="utf-8")
    results = folder / "results/htautau"
    results.mkdir(parents=True)
    (results / "report.html").write_text("old\n", encoding="utf-8")
    assert run(folder).returncode == status
    assert (results / "report.html").read_text(encoding="utf-8") == f"{kept}\n"
    assert sorted(path.name for path in results.iterdir()) == ["logs", "report.html"]
