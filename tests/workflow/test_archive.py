"""`snakemake --archive` needs nothing but Git, and what it packs runs elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.project import ROOT, Project, copy_project

pytestmark = pytest.mark.workflow

WITH = ("requirements.lock", "pyproject.toml", "run", "Containerfile")


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_archive_of_a_clone_runs_elsewhere(tmp_path: Path) -> None:
    clone = copy_project(tmp_path / "clone")
    for name in WITH:
        shutil.copy2(ROOT / name, clone.path / name)
    git(clone.path, "init", "--quiet")
    git(clone.path, "add", "--all")
    git(clone.path, "commit", "--quiet", "--message", "t")
    clone.snakemake("--archive", "taipan.tar.gz")
    with tarfile.open(clone.path / "taipan.tar.gz") as archive:
        names = set(archive.getnames())
        # Debian 12 has a Python 3.11 without filters; later ones warn where none is given
        options = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(tmp_path / "elsewhere", **options)
    listed = subprocess.run(
        ["git", "ls-files"], cwd=clone.path, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert len(listed) > 150
    assert set(listed) <= names
    there = Project(tmp_path / "elsewhere")
    planned = there.planned()
    assert planned == clone.planned()
    assert sum(planned.values()) > 40
