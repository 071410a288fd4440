"""No file of the working directory runs because of its name; an analysis module is found by it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TAIPAN = {
    "script": [str(Path(sys.executable).with_name("taipan"))],
    "package": [sys.executable, "-m", "taipan"],
    "module": [sys.executable, "-m", "taipan.cli"],
}
STANDARD = ("__future__", "argparse", "ast", "json", "multiprocessing", "tempfile", "runpy")
LIBRARIES = (
    *("pyhf", "numpy", "yaml", "scipy", "pydantic", "awkward", "jax", "uproot", "requests"),
    *("cupy", *STANDARD),  # the first is not installed, and asked for by others
)
MODULE = """
import sys
from taipan.analyses.htautau import ANALYSIS
import {beside}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files with the names of libraries, each of which leaves a trace when it runs."""
    for name in LIBRARIES:
        leave_trace(tmp_path / f"{name}.py")
    return tmp_path


def leave_trace(path: Path, text: str = "") -> None:
    trace = path.with_suffix(".ran")
    path.write_text(f"open({str(trace)!r}, 'w').close()\n{text}", encoding="utf-8")


def traces(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.ran")}


def taipan(
    folder: Path, *arguments: Path | str, how: str = "script", **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    return subprocess.run(
        [*TAIPAN[how], *map(str, arguments)],
        cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def copy_config(folder: Path, module: str) -> None:
    shutil.copytree(ROOT / "config", folder / "config")
    path = folder / "config/analyses/htautau.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("taipan.analyses.htautau", module), encoding="utf-8")


@pytest.mark.parametrize(
    ("how", "path"), [("script", None), ("script", ":"), ("package", None), ("module", "")]
)
def test_a_library_beside_a_workspace_does_not_run(
    folder: Path, how: str, path: str | None
) -> None:
    """Neither by `python -m`, nor by an empty entry of PYTHONPATH."""
    (folder / "workspace.json").write_text("{}", encoding="utf-8")
    before = os.environ.get("PYTHONPATH")
    value = {} if path is None else {"PYTHONPATH": f"{before}{path}" if before else path}
    if path == ":":
        for name in STANDARD:  # Python itself imports some of them before the command runs
            (folder / f"{name}.py").unlink()
    done = taipan(folder, "fit", "workspace.json", how=how, **value)
    assert done.returncode == 1
    assert done.stderr.startswith("taipan: error: workspace.json"), done.stderr
    assert traces(folder) == set()


def entry_points() -> list[str]:
    """Modules of the package that `python -m` runs."""
    source = ROOT / "src"
    return sorted(
        ".".join(path.relative_to(source).with_suffix("").parts)
        for path in (source / "taipan").rglob("*.py")
        if '\nif __name__ == "__main__":' in path.read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("module", entry_points())
def test_a_library_in_the_working_folder_does_not_run_whatever_module_is_started(
    folder: Path, module: str
) -> None:
    """The worker of a search, which is started by hand on other machines, ran `numpy.py`."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=folder, env=kept, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert traces(folder) == set()


def test_processes_of_the_skim_do_not_run_a_library_beside_the_files(
    folder: Path, root_file: Path
) -> None:
    (folder / "chunks.yaml").write_text("skim: {chunk_events: 1000}\n", encoding="utf-8")
    shutil.copytree(ROOT / "config", folder / "config")
    done = taipan(
        folder, "skim", root_file, "--out", "out.parquet", "--threads", "2",
        "--config", "chunks.yaml",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "chunk 4 of 4 done" in done.stderr
    assert traces(folder) == set()


@pytest.mark.parametrize("command", ["check", "quantities"])
def test_the_check_of_a_foreign_file_imports_nothing_unless_told_to(
    folder: Path, command: str
) -> None:
    copy_config(folder, "taipan.analyses.htautau")
    leave_trace(folder / "evil.py", "from taipan.analyses.htautau import ANALYSIS")
    (folder / "foreign.yaml").write_text("module: evil\n", encoding="utf-8")
    arguments = ("config", command, "--config", "foreign.yaml")
    done = taipan(folder, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "taipan: error: module: 'evil' is not of the package and would be executed; "
        "if you trust it, say --module evil\n"
    )
    assert traces(folder) == set()
    assert taipan(folder, *arguments, "--module", "other").returncode == 1
    assert traces(folder) == set()
    assert taipan(folder, *arguments, "--module", "evil").returncode == 0
    assert traces(folder) == {"evil"}


def test_a_foreign_folder_does_not_name_the_module_of_the_skim(
    folder: Path, root_file: Path
) -> None:
    copy_config(folder, "evil")
    leave_trace(folder / "evil.py", "from taipan.analyses.htautau import ANALYSIS")
    done = taipan(folder, "skim", root_file, "--out", "out.parquet")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "if you trust it, say --module evil" in done.stderr
    assert traces(folder) == set()


@pytest.mark.parametrize("name", ["mine", "package_of_mine.selection"])
def test_the_skim_finds_a_module_outside_the_project(
    folder: Path, root_file: Path, name: str
) -> None:
    """With what it imports from its folder, but no library of that folder."""
    path = folder / f"{name.replace('.', '/')}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(MODULE.format(beside="cuts_of_mine, numpy, yaml, pyhf"), encoding="utf-8")
    leave_trace(folder / "cuts_of_mine.py")
    leave_trace(folder / "not_named.py")
    (folder / "chunks").mkdir()
    done = taipan(folder, "skim", root_file, "--analysis", name, "--out", "out.parquet")
    assert done.returncode == 0, done.stderr
    assert "wrote out.parquet" in done.stdout
    assert traces(folder) == {"cuts_of_mine"}


def test_an_analysis_that_does_not_exist_gets_a_suggestion(tmp_path: Path, root_file: Path) -> None:
    done = taipan(tmp_path, "skim", root_file, "--analysis", "htautua", "--out", "out.parquet")
    assert done.returncode == 1
    assert done.stderr == (
        "taipan: error: --analysis: 'htautua' is not an analysis; did you mean 'htautau'? "
        f"(htautau, or a module that is installed or lies in {tmp_path})\n"
    )


@pytest.mark.workflow
def test_a_library_in_the_folder_of_the_project_does_not_run(folder: Path) -> None:
    """Nor in its jobs. The analysis module of that folder is found all the same."""
    copy_config(folder, "mine")
    for part in ("workflow", "scripts", "profiles"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "Snakefile", folder)
    leave_trace(folder / "mine.py", MODULE.format(beside="cuts_of_mine"))
    leave_trace(folder / "cuts_of_mine.py")
    (folder / "small.yaml").write_text("fastsim: {events: {TTbar: 500}}\n", encoding="utf-8")
    target = "results/htautau/events/TTbar/0.parquet"
    program = str(Path(sys.executable).with_name("snakemake"))
    command = [program, "--cores", "1", target, "--configfile", "small.yaml"]
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    done = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (folder / target).is_file()
    assert traces(folder) == {"mine", "cuts_of_mine"}
