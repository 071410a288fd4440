"""The smoke configuration on a real SLURM of one node, with faults: equal to a local run."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.slurm import Slurm
from tests.project import RESULTS, SMOKE, Project, copy_project

pytestmark = pytest.mark.workflow

# What a test cluster needs that a real one does not: no accounting, and everything at once.
TEST_CLUSTER = (
    *("--slurm-status-command", "squeue", "--slurm-no-account"),
    *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
    *("--latency-wait", "10"),
)
SNAKEMAKE = Path(__file__).with_name("snakemake_quickly.py")
TOO_LITTLE_AT_FIRST = ("--set-resources", "train:mem_mb=150 if attempt == 1 else 4000")
PRODUCTS = ("templates/templates.zip", "workspace.json", "yields.csv", "models/fold0.onnx")
UNTRAINED = (
    *(".checksums", "simulation", "events", "identities", "cutflow"),
    *("normalisation.json", "corrections"),
)
"""What a run leaves before the training."""
FITS = ("fit/nn_score.json", "fit/m_vis.json")


WAIT = 3600  # seconds; far more than anything takes, on a busy machine too


@dataclass(frozen=True)
class Faults:
    """A run that met a cancelled job, a drained node and a job over memory."""

    project: Project
    cancelled: int
    seen_while_drained: dict[int, str]
    output: str
    exit_status: int


@dataclass(frozen=True)
class Started:
    """A workflow that runs on the cluster; what it prints goes to a file."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait(self) -> int:
        """Wait for its end; its exit status."""
        try:
            return self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the workflow has not ended in {WAIT} s: {self.output[-3000:]}")

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until something holds, and for no longer than the workflow runs."""
        end = time.monotonic() + WAIT
        while not condition():
            ended = self.process.poll() is not None
            assert not ended, f"the workflow has ended: {self.output[-3000:]}"
            assert time.monotonic() < end, f"not reached in {WAIT} s: {self.output[-3000:]}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if missing := Slurm.missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"not installed: {missing}")
        pytest.skip(f"not installed: {missing}")
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    slurm.start()
    yield slurm
    slurm.stop()


@contextlib.contextmanager
def started(run: Project, cluster: Slurm, *arguments: str) -> Iterator[Started]:
    """Start the workflow on the cluster; at the end nothing of it is left, whatever happened."""
    environment = {**run.environment, **cluster.environment, "PYTHONPATH": str(run.path / "src")}
    log = run.path / "workflow.log"
    with log.open("wb") as target:
        process = subprocess.Popen(
            [
                *(sys.executable, str(SNAKEMAKE), "--profile", "profiles/slurm", *TEST_CLUSTER),
                *(*arguments, "--configfile", SMOKE),
            ],
            cwd=run.path, env=environment, stdout=target, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield Started(process, log)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def faults(cluster: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """Run the smoke configuration on the cluster and make things go wrong meanwhile."""
    run = copy_project(tmp_path_factory.mktemp("faults") / "taipan")
    node = f"NodeName={cluster.host}"
    with started(run, cluster, *TOO_LITTLE_AT_FIRST) as workflow:
        cancelled: list[int] = []
        workflow.wait_for(lambda: cancelled.extend(cluster.cancel_one()) or cancelled)
        cluster.command("scontrol", "update", node, "State=DRAIN", "Reason=test", check=True)
        workflow.wait_for(lambda: not cluster.jobs() and cluster.jobs("PENDING"))
        drained = cluster.jobs("PENDING")
        cluster.command("scontrol", "update", node, "State=RESUME", check=True)
        status = workflow.wait()
    return Faults(run, cancelled[0], drained, workflow.output, status)


def assert_same(run: Project, finished: Project) -> None:
    """Templates, workspace, networks and fits to the byte, and nothing left to do."""
    assert run.summary() == finished.summary()
    for name in (*PRODUCTS, *FITS):
        again = (run.path / RESULTS / name).read_bytes()
        assert again == (finished.path / RESULTS / name).read_bytes(), name
    assert run.planned() == {}


def test_every_fault_is_reported_and_retried(faults: Faults) -> None:
    assert faults.exit_status == 0, faults.output[-4000:]
    report = f"Error in group events\n    log: .*/{faults.cancelled}\\.log"
    assert re.search(report, faults.output), faults.output[-4000:]
    assert faults.seen_while_drained
    assert faults.cancelled not in faults.seen_while_drained
    over_memory = re.findall(r"Error in rule train:\n\s+message: SLURM-job '(\d+)'", faults.output)
    assert len(over_memory) == 1, faults.output[-4000:]


def test_result_is_that_of_a_local_run(faults: Faults, finished: Project) -> None:
    """Despite all that went wrong."""
    assert_same(faults.project, finished)


def test_jobs_of_seconds_go_together(faults: Faults) -> None:
    """50 jobs of the workflow are not 50 of the cluster, and none needs more than one core."""
    submitted = re.findall(r"has been submitted with SLURM jobid (\d+)", faults.output)
    assert 8 <= len(submitted) <= 20


def test_job_without_memory_is_reported_and_nothing_is_lost(
    cluster: Slurm, project: Project, finished: Project
) -> None:
    """Without a retry the run fails and names the job; what it was made from is used again."""
    results = project.path / RESULTS
    events = sorted((results / "events").rglob("*.parquet"))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in events}
    for path in results.iterdir():
        if path.name not in UNTRAINED:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    arguments = ("--set-resources", "train:mem_mb=150", "--retries", "0")
    with started(project, cluster, *arguments) as workflow:
        assert workflow.wait() != 0
    assert "Error in rule train" in workflow.output
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in events} == before
    planned = project.planned()
    assert planned["train"] == 1
    assert not set(planned) & {"simulate", "skim", "normalise"}
    with started(project, cluster) as workflow:
        assert workflow.wait() == 0, workflow.output[-4000:]
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in events} == before
    assert_same(project, finished)
