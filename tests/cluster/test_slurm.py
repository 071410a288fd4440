"""The smoke configuration on a real SLURM of one node, with faults: equal to a local run."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.slurm import Slurm
from tests.project import RESULTS, SMOKE, Project, copy_project

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.xdist_group("workflow"),
    pytest.mark.skipif(bool(Slurm.missing()), reason=f"not installed: {Slurm.missing()}"),
]

# What a test cluster needs that a real one does not: no accounting, and everything at once.
TEST_CLUSTER = (
    *("--slurm-status-command", "squeue", "--slurm-no-account"),
    *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
    *("--latency-wait", "10"),
)
SNAKEMAKE = Path(__file__).with_name("snakemake_quickly.py")
TOO_LITTLE_AT_FIRST = ("--set-resources", "train:mem_mb=150 if attempt == 1 else 4000")
PRODUCTS = ("templates/templates.zip", "workspace.json", "yields.csv", "models/fold0.onnx")
FITS = ("fit/nn_score.json", "fit/m_vis.json")


@dataclass(frozen=True)
class Faults:
    """A run that met a cancelled job, a drained node and a job over memory."""

    project: Project
    cancelled: int
    seen_while_drained: dict[int, str]
    output: str
    exit_status: int


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    slurm = Slurm(tmp_path_factory.mktemp("slurm"))
    slurm.start()
    yield slurm
    slurm.stop()


def start(run: Project, cluster: Slurm, *arguments: str) -> subprocess.Popen[str]:
    environment = {**run.environment, **cluster.environment, "PYTHONPATH": str(run.path / "src")}
    return subprocess.Popen(
        [
            *(sys.executable, str(SNAKEMAKE), "--profile", "profiles/slurm", *TEST_CLUSTER),
            *(*arguments, "--configfile", SMOKE),
        ],
        cwd=run.path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, f"the workflow has ended: {process.communicate()[0][-3000:]}"
        assert time.monotonic() < end, "not reached in 300 s"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def faults(cluster: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """Run the smoke configuration on the cluster and make things go wrong meanwhile."""
    run = copy_project(tmp_path_factory.mktemp("faults") / "taipan")
    process = start(run, cluster, *TOO_LITTLE_AT_FIRST)
    try:
        wait_for(cluster.jobs, process)
        victim = min(cluster.jobs())
        cluster.command("scancel", str(victim), check=True)
        wait_for(lambda: victim not in cluster.jobs(), process)
        node = f"NodeName={cluster.host}"
        cluster.command("scontrol", "update", node, "State=DRAIN", "Reason=test", check=True)
        wait_for(lambda: not cluster.jobs() and cluster.jobs("PENDING"), process)
        drained = cluster.jobs("PENDING")
        cluster.command("scontrol", "update", node, "State=RESUME", check=True)
        output, _ = process.communicate(timeout=1800)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    return Faults(run, victim, drained, output, process.returncode)


def test_every_fault_is_reported_and_retried(faults: Faults) -> None:
    assert faults.exit_status == 0, faults.output[-4000:]
    report = f"Error in group events\n    log: .*/{faults.cancelled}\\.log"
    assert re.search(report, faults.output), faults.output[-4000:]
    assert faults.cancelled not in faults.seen_while_drained
    over_memory = re.findall(r"Error in rule train:\n\s+message: SLURM-job '(\d+)'", faults.output)
    assert len(over_memory) == 1, faults.output[-4000:]


def test_result_is_that_of_a_local_run(faults: Faults, finished: Project) -> None:
    """Templates, workspace, networks and fits to the byte, despite all that went wrong."""
    assert faults.project.summary() == finished.summary()
    for name in (*PRODUCTS, *FITS):
        again = (faults.project.path / RESULTS / name).read_bytes()
        assert again == (finished.path / RESULTS / name).read_bytes(), name
    assert faults.project.planned() == {}


def test_jobs_of_seconds_go_together(faults: Faults) -> None:
    """50 jobs of the workflow are not 50 of the cluster, and none needs more than one core."""
    submitted = re.findall(r"has been submitted with SLURM jobid (\d+)", faults.output)
    assert 8 <= len(submitted) <= 20


def test_job_without_memory_is_reported_and_nothing_is_lost(
    cluster: Slurm, project: Project
) -> None:
    """Without a retry the run fails and names the job; what it was made from is there, and used."""
    events = sorted((project.path / RESULTS / "events").rglob("*.parquet"))
    before = {path: path.read_bytes() for path in events}
    (project.path / RESULTS / "models/training.json").unlink()
    arguments = ("--set-resources", "train:mem_mb=150", "--retries", "0", "--until", "train")
    output, _ = (process := start(project, cluster, *arguments)).communicate(timeout=300)
    assert process.returncode != 0
    assert "Error in rule train" in output
    assert {path: path.read_bytes() for path in events} == before
    planned = project.planned()
    assert planned["train"] == 1
    assert not set(planned) & {"simulate", "skim", "normalise"}
