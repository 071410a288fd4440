"""A copy of the project in which the smoke configuration has been run once."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hist
import pytest

from taipan.labels import name_shifts
from taipan.templates.store import read_histograms

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "config", "envs", "profiles", "scripts", "src", "workflow")
SMOKE = "config/examples/smoke.yaml"
RESULTS = "results/smoke/htautau"


def read_templates(path: Path) -> dict[str, hist.Hist]:
    """Read the histograms of observables, without the statistical errors of their shifts."""
    found = read_histograms(path)
    return {name: item for name, item in found.items() if not is_error_of_shifts(name, found)}


def is_error_of_shifts(name: str, found: Collection[str]) -> bool:
    """Tell whether a histogram has the errors of the shifts of another one."""
    return any(name == name_shifts(other) for other in found)


@dataclass(frozen=True)
class Project:
    """A copy of the project."""

    path: Path

    def command(self, *arguments: str, config: Sequence[str] = (SMOKE,)) -> list[str]:
        return [
            *(sys.executable, "-m", "snakemake", "--cores", "2", *arguments),
            *("--configfile", *config),
        ]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.path / "src"), "TF_CPP_MIN_LOG_LEVEL": "3"}

    def snakemake(
        self, *arguments: str, config: Sequence[str] = (SMOKE,), check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments, config=config),
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"snakemake failed:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
        return done

    def planned(self, *extra: str) -> dict[str, int]:
        """Rules that a dry run would run, with their numbers of jobs."""
        text = self.snakemake("--dry-run", config=(SMOKE, *extra)).stdout
        table = re.search(r"Job stats:\n.*\n-.*\n((?:.+\n)+)", text)
        if table is None:
            assert "Nothing to be done" in text, text
            return {}
        rows = (line.split() for line in table.group(1).splitlines())
        jobs = {row[0]: int(row[1]) for row in rows if len(row) == 2}
        return {rule: count for rule, count in jobs.items() if rule not in ("all", "total")}

    def overlay(self, text: str) -> str:
        path = self.path / "overlay.yaml"
        path.write_text(text, encoding="utf-8")
        return path.name

    def summary(self) -> dict[str, Any]:
        """The summary without what may differ between equal runs."""
        text = (self.path / RESULTS / "summary.json").read_text(encoding="utf-8")
        content: dict[str, Any] = json.loads(text)
        content.pop("seconds")
        return content

    def kill_when(self, marker: str, timeout: float = 300.0) -> None:
        """Start the workflow and send SIGKILL to all of it once the file `marker` exists."""
        process = subprocess.Popen(
            self.command(),
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + timeout
        while not (self.path / marker).exists():
            assert process.poll() is None, f"the workflow ended before {marker} appeared"
            assert time.monotonic() < deadline, f"{marker} did not appear"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def copy_project(target: Path) -> Project:
    unfinished = shutil.ignore_patterns("*.pyc.*", ".*.json")  # bytecode that is being written
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=unfinished)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / part)
    return Project(target)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The smoke configuration, run to the end; tests must not change it.

    Made by the first process of the tests that needs it, for all of them. `TAIPAN_TEST_FINISHED`
    may name an empty folder for it, which serves several calls of pytest on the same code.
    """
    base = tmp_path_factory.getbasetemp()
    own = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    folder = Path(os.environ.get("TAIPAN_TEST_FINISHED") or own)
    folder.mkdir(exist_ok=True)
    project, done = Project(folder / "taipan"), folder / "done"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(project.path, ignore_errors=True)
            copy_project(project.path).snakemake()
            done.touch()
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project that a test may change."""
    shutil.copytree(finished.path, tmp_path / "taipan", symlinks=True)
    return Project(tmp_path / "taipan")
