"""No file of the working directory runs because of its name; an analysis is named by the user."""

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
IMPORTS = "from .cuts_of_mine import *\nimport numpy, yaml, pyhf\n"
HTAUTAU = ROOT / "config/analyses/htautau"


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


def copy_analysis(target: Path, imports: str = "") -> Path:
    """A copy of the shipped analysis whose code leaves a trace; returns the trace."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(HTAUTAU, target, ignore=shutil.ignore_patterns("__pycache__"))
    path = target / "selection.py"
    text = path.read_text(encoding="utf-8")
    trace = target.with_suffix(".ran")
    path.write_text(f"{text}\nopen({str(trace)!r}, 'w').close()\n{imports}", encoding="utf-8")
    return trace


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
    shutil.copytree(ROOT / "config", folder / "config")
    trace = copy_analysis(folder / "evil")
    (folder / "foreign.yaml").write_text("analysis: ./evil\n", encoding="utf-8")
    arguments = ("config", command, "--config", "foreign.yaml")
    done = taipan(folder, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "taipan: error: analysis: 'evil' is not shipped with Taipan, and its code would be "
        "executed; if you trust it, say --analysis ./evil\n"
    )
    assert taipan(folder, *arguments, "--analysis", "htautau").returncode == 0
    assert not trace.exists()
    done = taipan(folder, *arguments, "--analysis", "./evil")
    assert done.returncode == 0, done.stderr
    assert trace.exists()


@pytest.mark.parametrize("arguments", [[], ["--analysis", "htautau"]])
def test_a_foreign_folder_does_not_replace_the_code_of_the_skim(
    folder: Path, root_file: Path, arguments: list[str]
) -> None:
    """Its analysis has the name of a shipped one, and other code."""
    trace = copy_analysis(folder / "config/analyses/htautau")
    shutil.copy(ROOT / "config/config.yaml", folder / "config")
    done = taipan(folder, "skim", root_file, "--out", "out.parquet", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "differs from the one that is shipped, and its code would be executed" in done.stderr
    assert "say --analysis config/analyses/htautau" in done.stderr
    assert not trace.exists()
    named = ("--analysis", "config/analyses/htautau")
    done = taipan(folder, "skim", root_file, "--out", "out.parquet", *named)
    assert done.returncode == 0, done.stderr
    assert trace.exists()


def test_a_copy_of_a_shipped_analysis_is_trusted_as_long_as_its_code_is_the_same(
    folder: Path,
) -> None:
    shutil.copytree(ROOT / "config", folder / "config")
    done = taipan(folder, "config", "check")
    assert done.returncode == 0, done.stderr
    assert "no problem found" in done.stdout
    leave_trace(folder / "config/analyses/htautau/more.py")
    assert "differs from the one" in taipan(folder, "config", "check").stderr


@pytest.mark.parametrize("name", ["./mine", "analyses_of_mine/mine"])
def test_the_skim_finds_a_folder_outside_the_project(
    folder: Path, root_file: Path, name: str
) -> None:
    """With what it imports from itself, but no library of the working directory or of itself."""
    place = folder / name
    trace = copy_analysis(place, IMPORTS)
    leave_trace(place / "cuts_of_mine.py")
    for other in ("not_named", "pyhf"):
        leave_trace(place / f"{other}.py")
    done = taipan(folder, "skim", root_file, "--analysis", name, "--out", "out.parquet")
    assert done.returncode == 0, done.stderr
    assert "wrote out.parquet" in done.stdout
    assert trace.exists()
    assert (traces(folder) - {"mine"}, traces(place)) == (set(), {"cuts_of_mine"})


def test_an_analysis_that_does_not_exist_gets_a_suggestion(tmp_path: Path, root_file: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    done = taipan(tmp_path, "skim", root_file, "--analysis", "htautua", "--out", "out.parquet")
    assert done.returncode == 1
    assert done.stderr == (
        "taipan: error: analysis: 'htautua' is not a folder of config/analyses; did you mean "
        "'htautau'? (agc_ttbar, higgsml, htautau, zmumu, zpt, or the path of a folder, with a /)\n"
    )


@pytest.mark.workflow
def test_a_library_in_the_folder_of_the_project_does_not_run(folder: Path) -> None:
    """Nor in its jobs. An analysis in that folder is found all the same."""
    shutil.copytree(ROOT / "config", folder / "config")
    copy_analysis(folder / "mine", IMPORTS)
    for part in ("workflow", "scripts", "profiles"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "Snakefile", folder)
    leave_trace(folder / "mine/cuts_of_mine.py")
    (folder / "small.yaml").write_text(
        "analysis: ./mine\nfastsim: {events: {TTbar: 500}}\n", encoding="utf-8"
    )
    target = "results/mine/events/TTbar/0.parquet"
    program = str(Path(sys.executable).with_name("snakemake"))
    command = [program, "--cores", "1", target, "--configfile", "small.yaml"]
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    done = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (folder / target).is_file()
    assert (traces(folder), traces(folder / "mine")) == ({"mine"}, {"cuts_of_mine"})
