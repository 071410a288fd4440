"""Remote files through the workflow: fetched, streamed, and left alone by a dry run."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from taipan.atomic import read_json
from taipan.fastsim import write_dataset
from taipan.skim.run import Chunk, skim_chunk
from taipan.skim.storage import read_events
from tests.conftest import fastsim_settings, skim_settings
from tests.htautau import ANALYSIS
from tests.project import Project, copy_project
from tests.remote.conftest import need
from tests.remote.servers import nginx, reserved_port

pytestmark = pytest.mark.workflow
NAME = "GluGluToHToTauTau"
SIZE = 3000
OUT = "results/web/htautau"
EVENTS = [f"{OUT}/events/{NAME}/{i}.parquet" for i in range(2)]


@dataclass(frozen=True)
class Web:
    """A copy of the project and a web server with the one file that is used."""

    project: Project
    files: Path
    base: str
    dead_port: int

    def overlay(self, **sections: dict[str, object]) -> str:
        """Overlay of a catalogue with a dead mirror first, so that each run needs the second."""
        path = self.project.path / "config/analyses/htautau/datasets"
        catalogue = yaml.safe_load((path / "fastsim.yaml").read_text(encoding="utf-8"))
        catalogue |= {"name": "web", "kind": "nanoaod"}
        catalogue["mirrors"] = [f"http://127.0.0.1:{self.dead_port}", self.base]
        for dataset in catalogue["datasets"].values():
            dataset["generated_events"] = SIZE
            if dataset["is_data"]:
                dataset["luminosity"] = {"value": 0.1, "unit": "fb-1", "source": "test"}
        (path / "web.yaml").write_text(yaml.safe_dump(catalogue), encoding="utf-8")
        content = {"catalogue": "web", "files": "fetched", "results": "results/web", **sections}
        return self.project.overlay(yaml.safe_dump(content))

    def columns(self) -> dict[str, np.ndarray]:
        """Columns of both chunks that the workflow made."""
        return read_events([self.project.path / name for name in EVENTS], ANALYSIS.columns)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    need("http")
    files, run = tmp_path / "files", tmp_path / "nginx"
    files.mkdir()
    run.mkdir()
    write_dataset(NAME, files / f"{NAME}.root", fastsim_settings(events={NAME: SIZE}), seed=4)
    project = copy_project(tmp_path / "taipan")
    with nginx(files, run) as port, reserved_port() as dead_port:
        yield Web(project, files, f"http://127.0.0.1:{port}", dead_port)


def assert_events_of_the_local_file(web: Web, folder: Path) -> None:
    file = web.files / f"{NAME}.root"
    events = folder / "whole.parquet"
    skim_chunk(Chunk(file), ANALYSIS, skim_settings(NAME), events, folder / "whole.json", {})
    whole, found = read_events([events], ANALYSIS.columns), web.columns()
    assert len(whole["event"]) > 100
    for name, values in whole.items():
        np.testing.assert_array_equal(found[name], values)


def test_fetched_files_give_the_events_of_local_ones(web: Web, tmp_path: Path) -> None:
    remote: dict[str, object] = {"access": "fetch", "backoff": 0.1}
    skim: dict[str, object] = {"chunk_events": 2000}
    run = web.project.snakemake
    run(*EVENTS, config=(web.overlay(remote=remote, skim=skim),))
    assert_events_of_the_local_file(web, tmp_path)
    fetched = web.project.path / "fetched"
    receipt = fetched / f"{NAME}.root.verified.json"
    left = {path.name for path in fetched.iterdir() if path.is_file()}
    assert left == {f"{NAME}.root", receipt.name}
    log = web.project.path / f"{OUT}/logs/fetch/{NAME}.root.log"
    assert "complete" in log.read_text(encoding="utf-8")

    # other mirrors and more patience are no reason to fetch or skim again
    nowhere = {**remote, "mirrors": ["http://127.0.0.1:9"], "timeout": 5.0, "retries": 0}
    overlay = web.overlay(remote=nowhere, skim=skim)
    assert "Nothing to be done" in run("--dry-run", *EVENTS, config=(overlay,)).stdout


def test_streamed_files_give_the_events_of_local_ones(web: Web, tmp_path: Path) -> None:
    overlay = web.overlay(remote={"access": "stream", "backoff": 0.1}, skim={"chunk_events": 2000})
    web.project.snakemake(*EVENTS, config=(overlay,))
    assert_events_of_the_local_file(web, tmp_path)
    assert not (web.project.path / "fetched").exists()


def test_damaged_chunk_fails_or_is_skipped(web: Web) -> None:
    file = web.files / f"{NAME}.root"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    target = f"{OUT}/cutflow/{NAME}/1.json"
    remote: dict[str, object] = {"access": "stream", "backoff": 0.1}
    overlay = web.overlay(remote=remote, skim={"chunk_events": 2000})
    failed = web.project.snakemake(target, config=(overlay,), check=False)
    assert failed.returncode != 0
    assert f"{NAME}.root is truncated: {len(content) // 2} of {len(content)} bytes" in failed.stderr
    assert "entries 1500 to end" in failed.stderr
    assert not (web.project.path / target).exists()
    overlay = web.overlay(remote=remote, skim={"chunk_events": 2000, "on_bad_file": "skip"})
    web.project.snakemake(target, config=(overlay,))
    assert "is truncated" in read_json(web.project.path / target)["skipped"]


def test_dry_run_does_not_touch_the_network(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "taipan")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        mirror = f"http://127.0.0.1:{listener.getsockname()[1]}"
        overlay = project.overlay(yaml.safe_dump({"remote": {"mirrors": [mirror]}}))
        done = project.snakemake("--dry-run", config=("config/examples/cms-2012.yaml", overlay))
        with pytest.raises(TimeoutError):
            listener.accept()
    assert "skim" in done.stdout
