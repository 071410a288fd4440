"""What goes wrong around a run: killed jobs, damaged files, full disks, two runs, clocks."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from taipan.certify.ledger import LEDGER
from taipan.scripting import run_call
from tests.project import RESULTS, Project, copy_project

pytestmark = pytest.mark.workflow

UNTRAINED = [".checksums", "events", "cutflow", "normalisation.json", "corrections"]
"""What a run leaves before the training, in `results/<analysis>`."""
PRODUCTS = ("templates/templates.zip", "workspace.json", "yields.csv", "models/fold0.onnx")


def assert_same(project: Project, finished: Project) -> None:
    """Equal summaries and, to the byte, equal products."""
    assert project.summary() == finished.summary()
    for name in PRODUCTS:
        again = (project.path / RESULTS / name).read_bytes()
        assert again == (finished.path / RESULTS / name).read_bytes(), name


@contextlib.contextmanager
def running(run: Project, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start the workflow in a session of its own, of which nothing is left at the end."""
    process = subprocess.Popen(
        run.command(*arguments), cwd=run.path, env=run.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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


def kill_one_of_each(
    process: subprocess.Popen[bytes],
    wanted: Callable[[str], bool],
    draw: random.Random,
    delay: float,
) -> set[str]:
    """Send SIGKILL to a random job of each stage, at most `delay` seconds after its start."""
    killed: set[str] = set()
    due: dict[int, float] = {}
    while process.poll() is None:
        now = time.monotonic()
        running = running_scripts(process.pid)
        for pid, script in running.items():
            if script not in killed and wanted(script):
                due.setdefault(pid, now + draw.uniform(0.0, delay))
        for pid in draw.sample(sorted(due), len(due)):
            if due[pid] <= now and running.get(pid, "") not in killed and pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.add(running[pid])
        time.sleep(0.02)
    return killed


def test_a_job_of_every_stage_is_killed(finished: Project, tmp_path: Path) -> None:
    """SIGKILL to a job of each stage, as the kernel does when memory is short: made again.

    A job may end before its moment has come; its stage is then run and killed once more, at sight.
    """
    run = copy_project(tmp_path / "taipan")
    benchmarks = finished.path / RESULTS / "benchmarks"
    stages = {path.name.split(".")[0] for path in benchmarks.iterdir()}
    left = stages - {"record_truth"}  # which has the script of `simulate`
    for number in range(4):
        again = ("--forcerun", *sorted(left)) if number else ()
        with running(run, "--retries", "1", *again) as process:
            left -= kill_one_of_each(
                process, left.__contains__, random.Random(1), 0.3 * (not number)
            )
        assert process.returncode == 0
        if not left:
            break
    assert not left
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


def recorded_inputs(project: Project) -> dict[str, tuple[str, ...]]:
    """Every job of the finished run, by rule and wildcards → files of the run that it read."""
    found: dict[str, tuple[str, ...]] = {}
    for path in (project.path / "results").rglob(".checksums/*.json"):
        if path.name == LEDGER.name:
            continue
        origin = json.loads(path.read_text(encoding="utf-8"))["origin"]
        inputs = [name for name in origin["inputs"] if name.startswith("results/")]
        assert all(origin["inputs"][name] for name in inputs), "read without being verified"
        found[f"{origin['rule']} {origin['wildcards']}"] = tuple(inputs)
    return found


def test_every_input_of_every_job_is_verified(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bit turned or the end cut off, in any file: the function of the job is not called."""
    monkeypatch.chdir(project.path)
    jobs = recorded_inputs(project)
    called: list[str] = []
    damaged = set()
    for job, inputs in jobs.items():
        given = SimpleNamespace(input=inputs, output=[])
        monkeypatch.setattr(sys.modules["__main__"], "snakemake", given, raising=False)
        for name in inputs:
            content = Path(name).read_bytes()
            middle = len(content) // 2
            flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            for bad in (flipped, content[:-1], b""):
                Path(name).write_bytes(bad)
                with pytest.raises(SystemExit):
                    run_call("job", lambda job=job: called.append(job))
                assert f"{name} is damaged" in capsys.readouterr().err
            Path(name).write_bytes(content)
            damaged.add(name)
    assert called == []
    assert len(jobs) == 51  # all of the smoke configuration
    assert {Path(name).suffix for name in damaged} >= {
        ".json",
        ".onnx",
        ".parquet",
        ".root",
        ".zip",
    }
    assert len(damaged) >= 60


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
    """The second is refused while the first, held at its lock, runs; that ends as if alone."""
    shutil.rmtree(project.path / RESULTS / "fit")
    locks = project.path / ".snakemake" / "locks"
    with running(project) as first:
        deadline = time.monotonic() + 600
        while len([path for path in locks.glob("*.lock") if path.stat().st_size]) < 2:
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(first.pid, signal.SIGSTOP)
        second = project.snakemake(check=False)
        assert not (project.path / RESULTS / "fit").exists()
        os.killpg(first.pid, signal.SIGCONT)
        assert first.wait(1200) == 0
    assert second.returncode != 0
    assert "cannot be locked" in second.stderr
    assert_same(project, finished)


def mount(*options: str) -> None:
    """Mount something; where that is not permitted the test is skipped, for root in CI it fails."""
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode:
        required = os.environ.get("CI") == "true" and os.getuid() == 0
        (pytest.fail if required else pytest.skip)(f"cannot mount: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB; root may mount one, in most containers, too."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    mount(*options)
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
    assert "unexpected error" not in failed.stderr
    for path in small_disk.rglob("*"):
        assert path.suffix != ".parquet" or path.stat().st_size, "an empty file was left"
        assert path.is_dir() or not path.name.startswith("."), f"{path.name} was left"
    events.unlink()
    project.snakemake()
    assert_same(project, finished)


def test_full_disk_in_the_training(project: Project, small_disk: Path) -> None:
    """One line that names the file, where networks and their states are written."""
    models = project.path / RESULTS / "models"
    shutil.rmtree(models)
    models.symlink_to(small_disk, target_is_directory=True)
    (small_disk / "filler").write_bytes(bytes(296 * 1024))
    failed = project.snakemake("--forcerun", "train", check=False)
    assert failed.returncode != 0
    assert re.search(r"train: error: cannot .*No space left", failed.stderr), failed.stderr[-3000:]
    assert "Traceback" not in failed.stderr
    assert not list(small_disk.glob("*.onnx"))


def test_read_only_results(project: Project) -> None:
    """A results folder on a read-only file system: refused before any job, nothing changed.

    A dry run, which only reads, says what it would do.
    """
    results = project.path / "results"
    mount("--bind", "-o", "ro", str(results), str(results))
    try:
        dry = project.snakemake("--dry-run", "--forcerun", "fit", check=False)
        done = project.snakemake("--forcerun", "fit", check=False)
        assert project.planned() == {}
    finally:
        subprocess.run(["umount", str(results)], check=True)
    assert dry.returncode == 0, dry.stderr
    assert "rule fit:" in dry.stdout
    assert done.returncode != 0
    assert "results: 'results/smoke' cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.planned() == {}


LONG_AGO = 1_500_000_000.0


def set_dates(project: Project, moment: float, name: str = "results") -> None:
    path = project.path / name
    for file in (path, *path.rglob("*")):
        os.utime(file, (moment, moment))


def test_dates_in_the_future(project: Project) -> None:
    set_dates(project, time.time() + 86_400)
    assert project.planned() == {}


def test_dates_in_the_past(project: Project) -> None:
    """Older than the scripts; everything was made again."""
    set_dates(project, LONG_AGO)
    assert project.planned() == {}


def test_one_date_in_the_past_and_one_in_the_future(project: Project) -> None:
    """A file older than its inputs was made again, with what depends on it."""
    set_dates(project, LONG_AGO, f"{RESULTS}/templates/datasets/TTbar.zip")
    set_dates(project, time.time() + 86_400, f"{RESULTS}/cutflow/cutflow.json")
    assert project.planned() == {}
