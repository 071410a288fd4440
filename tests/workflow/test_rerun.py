"""What runs again: what changed in content, whatever the dates say and wherever the files lie."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from taipan.atomic import read_json
from tests.project import PARTS, RESULTS, SMOKE, Project, copy_project
from tests.workflow.test_workflow import AFTER_FIT, EVERYTHING, SKIM, TRAINING, edit

pytestmark = pytest.mark.workflow

LONG_AGO = 1_500_000_000.0
LATER = 4_000_000_000.0


def set_dates(folder: Path, moment: float) -> None:
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (moment, moment))


def set_all_dates(project: Project, moment: float) -> None:
    for part in (*PARTS, "results"):
        set_dates(project.path / part, moment)


@pytest.fixture
def clone(project: Project, tmp_path: Path) -> Project:
    """A fresh copy of the project into which the results were moved; Snakemake knows nothing."""
    fresh = copy_project(tmp_path / "clone")
    shutil.move(project.path / "results", fresh.path / "results")
    assert not (fresh.path / ".snakemake").exists()
    return fresh


@pytest.mark.parametrize(
    ("parts", "moment"),
    [
        (["scripts"], LATER),
        (["src", "workflow", "config", "Snakefile"], LATER),
        (["results/smoke/htautau/simulation"], LATER),
        (["results"], LONG_AGO),
        ([*PARTS, "results"], LATER),
    ],
)
def test_touched_files_re_run_nothing(project: Project, parts: list[str], moment: float) -> None:
    """A newer script re-ran all 53 jobs."""
    for part in parts:
        set_dates(project.path / part, moment)
    assert project.planned() == {}


def test_checkout_of_an_older_commit_and_back_re_runs_nothing(project: Project) -> None:
    def git(*words: str) -> None:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
        subprocess.run(command, cwd=project.path, check=True, capture_output=True)

    git("init", "--initial-branch", "main")
    git("add", *PARTS)
    git("commit", "--message", "older")
    kept = {path: path.read_text() for path in (project.path / "scripts").glob("*.py")}
    for path in kept:
        path.write_text("import os  # noqa\n" + kept[path], encoding="utf-8")
    git("commit", "--all", "--message", "newer")
    assert set(project.planned()) == EVERYTHING
    git("checkout", "HEAD~1")
    assert project.planned() == {}


COPIES: dict[str, list[str]] = {
    "cp -r": ["cp", "-r"],
    "cp -a": ["cp", "-a"],
    "rsync -a": ["rsync", "-a"],
}


@pytest.mark.parametrize("command", COPIES.values(), ids=COPIES)
def test_copied_project_re_runs_nothing(
    project: Project, tmp_path: Path, command: list[str]
) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    target = tmp_path / "copy"
    target.mkdir()
    subprocess.run([*command, f"{project.path}/.", str(target)], check=True)
    assert Project(target).planned() == {}
    edit(target / "src/taipan/stages/fit.py", "write_json(\n", "print()\n    write_json(\n")
    assert set(Project(target).planned()) == AFTER_FIT


class TestFreshClone:
    """Results that were moved there, without the folder in which Snakemake remembers."""

    def test_nothing_is_made_again(self, clone: Project) -> None:
        set_all_dates(clone, LONG_AGO)
        assert clone.planned() == {}

    def test_report_is_made(self, clone: Project) -> None:
        clone.snakemake("--report", "results/report.html")
        assert (clone.path / "results/report.html").stat().st_size > 1_000_000
        assert clone.planned() == {}

    def test_changed_parameter_is_noticed(self, clone: Project) -> None:
        planned = clone.planned(clone.overlay("fit: {confidence_level: 0.9}"))
        assert set(planned) == AFTER_FIT

    def test_changed_script_is_noticed(self, clone: Project) -> None:
        edit(
            clone.path / "src/taipan/stages/skim.py",
            "    path = None",
            "    print()\n    path = None",
        )
        assert set(clone.planned()) == SKIM

    def test_changed_module_is_noticed(self, clone: Project) -> None:
        edit(clone.path / "src/taipan/nn/loop.py", "\n\n\n", "\n\n\nUNUSED = 1\n\n\n")
        assert set(clone.planned()) == TRAINING

    def test_file_without_record_is_made_again(self, clone: Project) -> None:
        (clone.path / RESULTS / "fit/.checksums/m_vis.json.json").unlink()
        assert clone.planned() == {"fit": 1, "plot_fit": 1, "summarize": 1}

    def test_file_of_another_run_is_noticed(self, clone: Project) -> None:
        """It came with its own record, which states other inputs than are here."""
        folder = clone.path / RESULTS / "fit"
        shutil.copy(folder / "m_vis.json", folder / "nn_score.json")
        record = folder / ".checksums"
        shutil.copy(record / "m_vis.json.json", record / "nn_score.json.json")
        planned = clone.planned()
        assert planned == {"fit": 1, "plot_fit": 1, "summarize": 1}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ("async def other(self, create_inventory=False): pass\n"
         "dag.DAG.update_needrun = other\n",
         "it does not ask whether build_workspace, "),
        ("del dag.DAG.update_needrun\n",
         "type object 'DAG' has no attribute 'update_needrun'"),
    ],
)  # fmt: skip
def test_other_snakemake_that_would_keep_stale_results_is_refused(
    project: Project, other: str, reason: str
) -> None:
    code = (
        f"import snakemake.cli\nfrom snakemake import dag\n{other}"
        f"from snakemake.cli import main\nmain(['--cores', '1', '-n', '--configfile', '{SMOKE}'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.path, env=project.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    said = done.stdout + done.stderr  # a dry run speaks on the former
    assert reason in said
    assert "; install the version of requirements.lock" in said
    assert "Traceback" not in said


def test_edited_script_with_an_old_date_re_runs_its_rule(project: Project) -> None:
    """It re-ran nothing, and what ran later kept the old version of the code."""
    script, target = project.path / "scripts/plot_cutflow.py", f"{RESULTS}/plots/cutflow.json"
    record = project.path / RESULTS / "plots/.checksums/cutflow.json.json"
    before = read_json(record)["origin"]["code"]
    edit(script, "\nrun_job(", "\nUNUSED = 1\n\nrun_job(")
    os.utime(script, (LONG_AGO, LONG_AGO))
    assert set(project.planned()) == {"plot_cutflow", "summarize"}
    project.snakemake(target)
    assert read_json(record)["origin"]["code"] != before
    assert project.planned() == {}  # the figure is what it was, so the summary is, too


def test_every_script_is_part_of_the_code_of_its_rules(project: Project) -> None:
    for path in (project.path / "scripts").glob("*.py"):
        path.write_text(path.read_text(encoding="utf-8") + "\nUNUSED = 1\n", encoding="utf-8")
    set_dates(project.path / "scripts", LONG_AGO)
    planned = project.snakemake("--dry-run").stdout
    reasons = re.findall(r"(?:local)?rule (\w+):.*?reason: ([^\n]*)", planned, re.DOTALL)
    assert {rule for rule, _ in reasons} - {"all"} == EVERYTHING
    first = {rule: reason for rule, reason in reasons if rule in ("simulate", "record_truth")}
    assert all(reason.endswith("the code has changed") for reason in first.values())
    assert len(first) == 2


def test_words_of_scripts_and_configuration_keys_re_run_nothing(project: Project) -> None:
    for path in (project.path / "scripts").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text("# a remark\n" + text.replace('"""', '"""Better: ', 1), encoding="utf-8")
    model = project.path / "src/taipan/config/sections/fastsim.py"
    edit(model, 'description="Signal strength injected', 'description="The signal strength put')
    assert project.planned() == {}


@pytest.mark.parametrize("change", ["deleted", "other"])
def test_result_of_an_interrupted_job_is_made_again(project: Project, change: str) -> None:
    """Killed between its two outputs, or before it recorded them."""
    target = project.path / RESULTS / "workspaces/nn_score.json"
    record = target.parent / ".checksums" / f"{target.name}.json"
    if change == "deleted":
        record.unlink()
    else:
        content = read_json(record)
        content["origin"]["parameters"] = "0" * 16
        record.write_text(json.dumps(content), encoding="utf-8")
    shutil.rmtree(project.path / ".snakemake")
    assert project.planned() == {
        "build_workspace": 1, "plot_systematics": 2, "fit": 2, "plot_fit": 2, "summarize": 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["yields.csv", "normalisation.json", "events/TTbar/0.parquet"])
def test_file_changed_by_hand_is_refused(project: Project, name: str) -> None:
    """Neither used nor overwritten; a change of `yields.csv`, which nobody reads, was not seen."""
    path = project.path / RESULTS / name
    original, before = path.read_bytes(), path.stat()
    changed = bytes([original[0] ^ 1]) + original[1:]
    path.write_bytes(changed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    done = project.snakemake(check=False)
    assert done.returncode != 0
    sentence = f"{RESULTS}/{name} is damaged: its content is not what was written (SHA-256 differs)"
    assert f"{sentence}; delete it and run again to make it anew" in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == changed
    path.write_bytes(original)
    assert project.planned() == {}


def test_file_changed_by_hand_is_replaced_if_its_job_runs_anyway(project: Project) -> None:
    (project.path / RESULTS / "fit/m_vis.json").write_text("{}", encoding="utf-8")
    planned = project.planned(project.overlay("fit: {confidence_level: 0.9}"))
    assert set(planned) == AFTER_FIT


@pytest.fixture
def with_data(project: Project) -> tuple[Project, Callable[[], dict[str, int]]]:
    """A project that has skimmed one dataset from a file of its user, and what it plans."""
    data = project.path / "data"
    shutil.copytree(project.path / "results/smoke/htautau/simulation", data)
    shutil.rmtree(data / ".checksums")
    text = (project.path / "config/analyses/htautau/datasets/fastsim.yaml").read_text(
        encoding="utf-8"
    )
    catalogue = {**yaml.safe_load(text), "name": "local", "kind": "nanoaod"}
    known = read_json(project.path / RESULTS / "normalisation.json")
    for name in set(known) & set(catalogue["datasets"]):
        dataset = catalogue["datasets"][name]
        dataset["generated_events"] = known[name]["generated_events"]
        if name.startswith("Run"):
            dataset["luminosity"] = {"value": 0.15, "unit": "fb-1", "source": "made up"}
    local = project.path / "config/analyses/htautau/datasets/local.yaml"
    local.write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    overlay = project.overlay("catalogue: local\nfiles: data\nresults: results/local\n")
    target = "results/local/htautau/events/TTbar/0.parquet"

    def plan() -> dict[str, int]:
        text = project.snakemake("--dry-run", target, config=(SMOKE, overlay)).stdout
        return {} if "Nothing to be done" in text else {"skim": text.count("rule skim:")}

    project.snakemake(target, config=(SMOKE, overlay))
    return project, plan


def test_replaced_source_file_is_noticed_and_a_touched_one_is_not(
    with_data: tuple[Project, Callable[[], dict[str, int]]],
) -> None:
    """A file with another content and an older date re-ran nothing."""
    project, plan = with_data
    file = project.path / "data/TTbar.root"
    content = file.read_bytes()
    for moment in (LATER, LONG_AGO):
        os.utime(file, (moment, moment))
        assert plan() == {}
    middle = len(content) // 2
    file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    os.utime(file, (LONG_AGO, LONG_AGO))
    assert plan() == {"skim": 1}
    file.write_bytes(content)
    assert plan() == {}
    shutil.copy(project.path / "data/W1JetsToLNu.root", file)
    os.utime(file, (LONG_AGO, LONG_AGO))
    assert plan() == {"skim": 1}
    file.write_bytes(content)
    (project.path / "data").rename(project.path / "moved")
    project.overlay("catalogue: local\nfiles: moved\nresults: results/local\n")
    assert plan() == {}
