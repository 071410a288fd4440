"""A package that is installed away from the project knows the analyses that are shipped."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("LICENSE", "README.md", "pyproject.toml", "setup.py", "Snakefile", "run")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which the package is built, as for a wheel."""
    project = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in ("src", "config", "workflow", "scripts", "profiles"):
        shutil.copytree(ROOT / folder, project / folder, ignore=ignored)
    for name in BUILT_FROM:
        shutil.copy2(ROOT / name, project / name)
    library = tmp_path_factory.mktemp("library")
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(library)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    return library


def check_config(library: Path, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "taipan", "config", "check"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(library), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_shipped_analysis_need_not_be_named(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    done = check_config(installed, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("htautau on ")
    assert "no problem found" in done.stdout


def test_one_that_was_changed_must_be_named(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    with (tmp_path / "config/analyses/htautau/selection.py").open("a") as file:
        file.write("raise SystemExit('it has run')\n")
    done = check_config(installed, tmp_path)
    assert done.returncode == 1
    assert "'config/analyses/htautau' differs from the one that is shipped" in done.stderr
    assert "it has run" not in done.stderr


def run_installed(library: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(library), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_clone_a_new_analysis_makes_its_project(installed: Path, tmp_path: Path) -> None:
    """It is planned as in a clone; a folder with other files of these names is left alone."""
    folder = tmp_path / "physics"
    folder.mkdir()
    done = run_installed(installed, folder, "taipan", "new", "demo")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("made a project here: Snakefile, ")
    assert os.access(folder / "run", os.X_OK)
    second = run_installed(installed, folder, "taipan", "new", "other")
    assert second.stdout.startswith("made config/analyses/other: ")
    done = run_installed(installed, folder, "taipan", "config", "check", "--analysis", "demo")
    assert "no problem found" in done.stdout, done.stderr
    plan = ("snakemake", "-n", "--cores", "1", "--quiet", "rules", "--config", "analysis=demo")
    done = run_installed(installed, folder, *plan)
    assert re.search(r"^total +37$", done.stdout, re.MULTILINE), done.stderr

    (tmp_path / "other/workflow").mkdir(parents=True)
    done = run_installed(installed, tmp_path / "other", "taipan", "new", "demo")
    assert done.returncode == 1
    assert "workflow is there already; make the project in a new folder" in done.stderr
