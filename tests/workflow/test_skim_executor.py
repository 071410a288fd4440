"""A Dask cluster gives the files of the local run, to the last byte."""

from __future__ import annotations

import pytest

from tests.project import RESULTS, SMOKE, Project

pytestmark = pytest.mark.workflow


# dask warns of its own accord
@pytest.mark.filterwarnings("ignore")
def test_dask_gives_the_files_of_local_jobs(project: Project) -> None:
    from distributed import LocalCluster

    folder = project.path / RESULTS
    events = folder / "events/VBF_HToTauTau/0.parquet"
    cutflow = folder / "cutflow/VBF_HToTauTau/0.json"
    expected = events.read_bytes(), cutflow.read_bytes()
    events.unlink()
    with LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        overlay = project.overlay(
            f"skim: {{executor: dask, dask_scheduler: '{cluster.scheduler_address}'}}\n"
        )
        done = project.snakemake(
            str(events.relative_to(project.path)), config=(SMOKE, overlay), check=False
        )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "skim_VBF_HToTauTau" in done.stderr
    assert (events.read_bytes(), cutflow.read_bytes()) == expected
