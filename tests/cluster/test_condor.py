"""The smoke configuration on HTCondor, whose daemons are a stand-in: what each job asks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.condor import find_errors
from tests.project import RESULTS, ROOT, SMOKE, Project, copy_project

pytestmark = pytest.mark.workflow

BINDINGS = Path(os.environ.get("TAIPAN_HTCONDOR", ROOT / ".venv-htcondor"))
"""The plugin and the bindings of HTCondor, from ``envs/htcondor.lock``."""
LAUNCHER = Path(__file__).with_name("snakemake_on_condor.py")
PROFILE = "profiles/htcondor/config.yaml"


@dataclass(frozen=True)
class Finished:
    """A run on the pool."""

    project: Project
    descriptions: dict[int, dict[str, str]]
    """Submit description of each job, in the order of submission."""
    output: str
    exit_status: int

    def of(self, name: str) -> list[dict[str, str]]:
        """Descriptions of the jobs of a rule or group."""
        found = self.descriptions.values()
        return [item for item in found if item["batch_name"].rsplit("-", 1)[0] == name]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Run the smoke configuration; the first training is held for its memory."""
    if not (BINDINGS / "htcondor2").is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{BINDINGS} is missing (.ci/run makes it)")
        pytest.skip("no bindings of HTCondor (.venv-htcondor from envs/htcondor.lock)")
    pool = tmp_path_factory.mktemp("pool")
    project = copy_project(tmp_path_factory.mktemp("condor") / "taipan")
    show_library(project)
    done = subprocess.run(
        [
            *(sys.executable, str(LAUNCHER), str(pool), "train", "--profile", "profiles/htcondor"),
            *("--seconds-between-status-checks", "1", "--latency-wait", "10"),
            *("--configfile", SMOKE),
        ],
        cwd=project.path,
        env={**project.environment, "PYTHONPATH": str(BINDINGS), "CONDOR_CONFIG": "/dev/null"},
        capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    files = sorted(pool.glob("*.json"), key=lambda path: int(path.stem))
    descriptions = {int(path.stem): json.loads(path.read_text()) for path in files}
    return Finished(project, descriptions, done.stdout + done.stderr, done.returncode)


def show_library(project: Project) -> None:
    """Let jobs import the library of this copy."""
    path = project.path / PROFILE
    text = path.read_text(encoding="utf-8")
    assert 'environment: "PATH=$PATH"' in text
    library = f"PATH=$PATH;PYTHONPATH={project.path}/src"
    path.write_text(text.replace("PATH=$PATH", library, 1), encoding="utf-8")


def test_result_is_that_of_a_local_run(run: Finished, finished: Project) -> None:
    assert run.exit_status == 0, run.output[-4000:]
    assert run.project.summary() == finished.summary()
    for name in ("templates/templates.zip", "workspace.json", "models/fold0.onnx"):
        again = (run.project.path / RESULTS / name).read_bytes()
        assert again == (finished.path / RESULTS / name).read_bytes(), name


def test_jobs_ask_for_memory_disk_and_time(run: Finished) -> None:
    """Those of seconds together, one core each; a training has two cores and more memory."""
    assert 8 <= len(run.descriptions) <= 20
    for item in run.descriptions.values():
        if item["batch_name"].startswith("train-"):
            continue
        assert item["request_memory"] == "2000MB", item
        assert item["request_cpus"] == "1"
        assert item["request_disk"] == str(2000 * 1024)  # KB
        assert item["allowed_execute_duration"] == "14400"


def test_held_job_is_tried_again_with_twice_the_memory(run: Finished) -> None:
    first, second = run.of("train")
    assert (first["request_memory"], second["request_memory"]) == ("4000MB", "8000MB")
    assert first["request_cpus"] == second["request_cpus"] == "2"
    assert second["allowed_execute_duration"] == "28800"
    assert "is held: memory usage exceeded request_memory" in run.output


def test_jobs_see_only_the_environment_of_the_profile(run: Finished) -> None:
    library = run.project.path / "src"
    for item in run.descriptions.values():
        assert item["getenv"].lower() == "false"
        assert item["environment"] == f"PATH={os.environ['PATH']};PYTHONPATH={library}"


def test_each_job_has_its_log(run: Finished) -> None:
    """Beside the log of events, which all share."""
    logs = {item["error"] for item in run.descriptions.values()}
    assert len(logs) == len(run.descriptions)
    for number, item in run.descriptions.items():
        assert item["log"] == ".snakemake/htcondor/snakemake-rules.log"
        assert item["error"].endswith(f"_{number}.err")
        was_held = item is run.of("train")[0]
        assert (run.project.path / item["error"]).is_file() is not was_held


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"request_memory": "2 GB"}, "request_memory = 2 GB is not a number"),
        ({"request_memory": ""}, "'request_memory' is missing"),
        ({"mem_mb": "2000"}, "'mem_mb' is not a command"),
        ({"arguments": 'a "b c"'}, "unescaped double quote"),
        ({"executable": "/no/python"}, "cannot be executed"),
        ({"error": "/no/folder/a.err"}, "the folder of error is not there"),
    ],
)
def test_stand_in_refuses_what_condor_submit_refuses(change: dict[str, str], message: str) -> None:
    good = {
        "executable": sys.executable,
        "arguments": "-m snakemake",
        "log": "a.log",
        "output": "a.out",
        "error": "a.err",
        "request_cpus": "1",
        "request_memory": "2000MB",
        "request_disk": "2048000",
        "MY.Flavour": '"long"',
    }
    assert find_errors(good) == []
    assert message in "; ".join(find_errors({**good, **change}))
