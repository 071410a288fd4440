"""The default profile has precedence over that of a cluster, so it must not say the same keys."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project import SMOKE, Project, copy_project

ROOT = Path(__file__).parents[2]
CLUSTERS = ("htcondor", "kubernetes", "slurm")
PARSE = """
import json, sys
from snakemake.cli import parse_args
_, args = parse_args(sys.argv[1:])
print(json.dumps([args.keep_going, args.retries, args.rerun_incomplete]))
"""


def profile(name: str) -> dict[str, Any]:
    path = ROOT / "profiles" / name / "config.yaml"
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def parsed(folder: Path, *arguments: str) -> list[Any]:
    """`keep-going`, `retries` and `rerun-incomplete` as Snakemake understands them there."""
    done = subprocess.run(
        [sys.executable, "-c", PARSE, "--cores", "1", *arguments],
        cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    content: list[Any] = yaml.safe_load(done.stdout.splitlines()[-1])
    return content


@pytest.mark.parametrize("name", CLUSTERS)
def test_default_profile_hides_no_key_of_a_cluster(name: str) -> None:
    assert set(profile("default")) & set(profile(name)) == set()


@pytest.mark.parametrize("name", CLUSTERS)
def test_cluster_goes_on_after_a_failure(name: str, tmp_path: Path) -> None:
    """Beside the default profile; the keys of plugins that may not be installed are left out."""
    values = {key: profile(name)[key] for key in ("keep-going", "retries")}
    for folder, content in (("default", profile("default")), (name, values)):
        (tmp_path / "profiles" / folder).mkdir(parents=True)
        target = tmp_path / "profiles" / folder / "config.yaml"
        target.write_text(yaml.safe_dump(content), encoding="utf-8")
    (tmp_path / "Snakefile").touch()
    assert parsed(tmp_path, "--profile", f"profiles/{name}") == [True, 2, True]


def test_slurm_goes_on_after_a_failure_and_a_laptop_stops() -> None:
    """The files themselves."""
    assert parsed(ROOT, "--profile", "profiles/slurm") == [True, 2, True]
    assert parsed(ROOT) == [False, 0, True]


@pytest.mark.workflow
def test_rules_of_an_era_have_the_threads_and_memory_of_the_profile(tmp_path: Path) -> None:
    """Their names are others: ``A_train``, of which the profile knows nothing."""
    project = copy_project(tmp_path / "taipan")
    overlay = project.overlay("eras: {A: {}, B: {}}")
    text = project.snakemake("--dry-run", config=(SMOKE, overlay)).stdout
    for era in "AB":
        (job,) = re.findall(rf"^rule {era}_train:\n((?: .*\n)+)", text, re.MULTILINE)
        assert "    threads: 2\n" in job
        assert "mem_mb=4000" in job


def list_jobs(project: Project, *arguments: str) -> dict[str, str]:
    """Return what a dry run prints of each job of rule ``train``, by network."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", *arguments],
        cwd=project.path, env=project.environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    jobs = re.findall(r"^ *rule train:\n((?: .*\n)+)", done.stdout, re.MULTILINE)
    return {next(iter(re.findall(r"network=(.*)", job)), ""): job for job in jobs}


@pytest.mark.workflow
def test_slurm_plans_every_kind_of_configuration(tmp_path: Path) -> None:
    """A rule between two rules of a group, but outside of it, is an error of Snakemake."""
    project = copy_project(tmp_path / "taipan")
    slurm = ("--profile", "profiles/slurm")
    assert set(list_jobs(project, *slurm)) == {"/plain", "/decorrelated"}
    for example in ("fake-factors", "two-signals", "eras-two-cross-sections"):
        list_jobs(project, *slurm, "--configfile", f"config/examples/{example}.yaml")
    for analysis in ("zpt", "higgsml"):
        list_jobs(project, *slurm, "--config", f"analysis={analysis}")


@pytest.mark.workflow
def test_networks_share_the_cores_of_one_machine(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "taipan")
    for cores, threads in ((1, 1), (2, 1), (4, 2), (16, 2)):
        for job in list_jobs(project, "--cores", str(cores)).values():
            found = re.search(r"^    threads: (\d+)$", job, re.MULTILINE)
            assert (int(found.group(1)) if found else 1) == threads


def test_htcondor_asks_for_the_memory_and_disk_of_other_clusters() -> None:
    """Its plugin does not read `mem_mb` and `disk_mb`."""
    htcondor = profile("htcondor")["default-resources"]
    for key in ("mem_mb", "disk_mb"):
        assert htcondor[f"htcondor_request_{key}"] == htcondor[key]
    for rule, values in profile("default")["set-resources"].items():
        assert values["htcondor_request_mem_mb"] == values["mem_mb"], rule


def test_clusters_put_the_same_rules_together() -> None:
    assert profile("slurm")["groups"] == profile("htcondor")["groups"]
