"""The smoke configuration on a real SLURM of one node: equal to a local run, also after faults."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "1"),
    *("--latency-wait", "10"),
)
PRODUCTS = ("templates/templates.zip", "workspace.json", "yields.csv", "models/fold0.onnx")


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
            *(sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", *TEST_CLUSTER),
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
        time.sleep(0.1)


def running(cluster: Slurm, rule: str) -> list[int]:
    return [number for number, comment in cluster.jobs().items() if rule in comment]


def test_faults_cost_nothing_and_the_result_is_that_of_a_local_run(
    cluster: Slurm, finished: Project, tmp_path: Path
) -> None:
    """A job cancelled by the scheduler, a node drained in mid-run, then the end."""
    run = copy_project(tmp_path / "taipan")
    process = start(run, cluster)
    wait_for(lambda: running(cluster, "simulate"), process)
    victim = running(cluster, "simulate")[0]
    cluster.command("scancel", str(victim), check=True)
    wait_for(lambda: victim not in cluster.jobs(), process)
    cluster.command(
        "scontrol", "update", f"NodeName={cluster.host}", "State=DRAIN", "Reason=test", check=True
    )
    wait_for(lambda: not cluster.jobs(), process)
    assert cluster.jobs("PENDING"), "the drained node still takes jobs"
    cluster.command("scontrol", "update", f"NodeName={cluster.host}", "State=RESUME", check=True)
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output[-4000:]
    assert f"SLURM jobid {victim}" in output
    assert run.summary() == finished.summary()
    for name in PRODUCTS:
        again = (run.path / RESULTS / name).read_bytes()
        assert again == (finished.path / RESULTS / name).read_bytes(), name
    assert run.planned() == {}


def test_job_over_memory_is_reported_and_completes_with_more(
    cluster: Slurm, project: Project
) -> None:
    """The training asks for 64 MB and is killed; nothing is lost, and with more it completes."""
    before = {
        path: path.stat().st_mtime_ns
        for path in (project.path / RESULTS / "events").rglob("*.parquet")
    }
    arguments = ("--forcerun", "train", "--set-resources", "train:mem_mb=64", "--retries", "0")
    process = start(project, cluster, *arguments, "--until", "train")
    output, _ = process.communicate(timeout=600)
    assert process.returncode != 0
    assert "train" in output
    assert before == {path: path.stat().st_mtime_ns for path in before}
    process = start(project, cluster)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output[-4000:]
    assert os.path.exists(project.path / RESULTS / "models" / "fold0.onnx")
    assert project.planned() == {}
