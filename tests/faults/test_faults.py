"""What goes wrong around a run: killed jobs, damaged files, full disks, two runs, clocks."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import RESULTS, Project, copy_project

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

UNTRAINED = ["events", "cutflow", "normalisation.json", "corrections"]
"""What a run leaves before the training, in `results/<analysis>`."""
PRODUCTS = ("templates/templates.zip", "workspace.json", "yields.csv", "models/fold0.onnx")


def assert_same(project: Project, finished: Project) -> None:
    """Equal summaries and, to the byte, equal products."""
    assert project.summary() == finished.summary()
    for name in PRODUCTS:
        again = (project.path / RESULTS / name).read_bytes()
        assert again == (finished.path / RESULTS / name).read_bytes(), name


SCRIPT = re.compile(r"/\.snakemake/scripts/tmp\w+\.(\w+)\.py")


def running_scripts(root: int) -> dict[int, str]:
    """Processes below `root` that run the script of a rule: number → script."""
    parents: dict[int, int] = {}
    scripts: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            found = SCRIPT.search((entry / "cmdline").read_text())
        except OSError:  # it has ended meanwhile
            continue
        parents[int(entry.name)] = int(status[1])
        if found:
            scripts[int(entry.name)] = found.group(1)

    def below(pid: int) -> bool:
        while pid in parents:
            if pid == root:
                return True
            pid = parents[pid]
        return False

    return {pid: name for pid, name in scripts.items() if below(pid)}


def kill_one_of_each(process: subprocess.Popen[bytes], draw: random.Random) -> set[str]:
    """Send SIGKILL to a random job of each stage, a random time after its start."""
    killed: set[str] = set()
    due: dict[int, float] = {}
    while process.poll() is None:
        now = time.monotonic()
        running = running_scripts(process.pid)
        for pid, script in running.items():
            if script not in killed:
                due.setdefault(pid, now + draw.uniform(0.0, 0.3))
        for pid in draw.sample(sorted(due), len(due)):
            if due[pid] <= now and running.get(pid, "") not in killed and pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.add(running[pid])
        time.sleep(0.05)
    return killed


def test_a_job_of_every_stage_is_killed(finished: Project, tmp_path: Path) -> None:
    """SIGKILL to a job of each stage, as the kernel does when memory is short: made again."""
    run = copy_project(tmp_path / "taipan")
    process = subprocess.Popen(
        run.command("--retries", "1"), cwd=run.path, env=run.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    killed = kill_one_of_each(process, random.Random(1))
    assert process.returncode == 0
    stages = {path.name.split(".")[0] for path in (run.path / RESULTS / "benchmarks").iterdir()}
    assert stages - killed <= {"record_truth"}  # which has the script of `simulate`
    assert_same(run, finished)
    assert run.planned() == {}


@pytest.mark.parametrize(
    ("kept", "marker"),
    [
        ([], "events/DYJetsToLL/0.parquet"),  # one of several outputs is there
        (UNTRAINED, "models/fold0.onnx"),
        ([*UNTRAINED, "models", "gates"], "logs/histogram/DYJetsToLL.log"),
    ],
    ids=["skim", "export", "histogram"],
)
def test_killed_and_started_again_gives_the_same(
    finished: Project, project: Project, kept: list[str], marker: str
) -> None:
    """The whole workflow gets SIGKILL in the middle of a stage; nothing later has been made."""
    results = project.path / RESULTS
    for path in results.iterdir():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    project.kill_when(f"{RESULTS}/{marker}")
    project.snakemake("--unlock")
    project.snakemake()
    assert_same(project, finished)
    assert project.planned() == {}


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("events/TTbar/0.parquet", "histogram"),
        ("cutflow/TTbar/0.json", "normalise"),
        ("normalisation.json", "histogram"),
        ("models/fold0.onnx", "histogram"),
        ("templates/templates.zip", "build_workspace"),
        ("workspaces/nn_score.json", "fit"),
    ],
)
def test_damaged_file_is_never_consumed(project: Project, name: str, reader: str) -> None:
    """One bit is flipped, the date of the file unchanged; the rule that reads it must refuse."""
    path = project.path / RESULTS / name
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    summary = project.summary()
    done = project.snakemake("--forcerun", reader, check=False)
    assert done.returncode != 0
    assert f"{Path(name).name} is damaged" in done.stderr
    assert project.summary() == summary


def test_two_workflows_in_one_folder(project: Project, finished: Project) -> None:
    """The second is refused while the first runs, and the first ends as if alone."""
    shutil.rmtree(project.path / RESULTS / "fit")
    first = subprocess.Popen(
        project.command(), cwd=project.path, env=project.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list((project.path / ".snakemake" / "locks").glob("*")):
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second = project.snakemake(check=False)
    assert second.returncode != 0
    assert "lock" in second.stderr.lower()
    assert first.wait(300) == 0
    assert_same(project, finished)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB; root may mount one, in most containers, too."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is not permitted")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk(finished: Project, project: Project, small_disk: Path) -> None:
    """The message names the file, no part of one is left, and with room the run completes."""
    results = project.path / RESULTS
    events = results / "events"
    shutil.rmtree(events)
    events.symlink_to(small_disk, target_is_directory=True)
    failed = project.snakemake("--forcerun", "skim", check=False)
    assert failed.returncode != 0
    assert "No space left" in failed.stderr
    for path in small_disk.rglob("*"):
        assert path.suffix != ".parquet" or path.stat().st_size, "an empty file was left"
        assert path.is_dir() or not path.name.startswith("."), f"{path.name} was left"
    events.unlink()
    project.snakemake()
    assert_same(project, finished)


def test_read_only_results(project: Project) -> None:
    """A results folder on a read-only file system: refused before any job, nothing changed."""
    results = project.path / "results"
    mount = ["mount", "--bind", "-o", "ro", str(results), str(results)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting read-only is not permitted")
    try:
        done = project.snakemake("--forcerun", "fit", check=False)
    finally:
        subprocess.run(["umount", str(results)], check=True)
    assert done.returncode != 0
    assert "results: 'results/smoke' cannot be written" in done.stderr
    assert project.planned() == {}


def set_dates(project: Project, moment: float) -> None:
    for path in (project.path / "results").rglob("*"):
        os.utime(path, (moment, moment))


def test_dates_in_the_future(project: Project) -> None:
    set_dates(project, time.time() + 86_400)
    assert project.planned() == {}


def test_dates_in_the_past(project: Project, finished: Project) -> None:
    """Older than the scripts, so everything is made again, with the same result."""
    set_dates(project, 1_500_000_000)
    project.snakemake()
    assert_same(project, finished)
