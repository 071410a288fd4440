"""Lock file, conda environment and container recipe name the same packages and versions."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project import PARTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lock() -> dict[str, str]:
    """Package → version for the Python and platform of the test."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    found = {}
    for line in re.findall(r"^([A-Za-z0-9._-]+==[^\\\n]+)", text, re.MULTILINE):
        item = Requirement(line.strip())
        if item.marker is None or Marker(str(item.marker)).evaluate():
            (version,) = item.specifier
            found[canonicalize_name(item.name)] = version.version
    return found


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    table: dict[str, object] = content["project"]
    return table


def test_every_requirement_is_locked_within_its_bounds(
    lock: dict[str, str], project: dict[str, object]
) -> None:
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    assert isinstance(project["dependencies"], list)
    for text in [*project["dependencies"], *(item for part in extras.values() for item in part)]:
        item = Requirement(text)
        if item.marker is not None and not item.marker.evaluate():
            continue
        assert lock[canonicalize_name(item.name)] in item.specifier, text


def test_installed_packages_are_those_of_the_lock(lock: dict[str, str]) -> None:
    installed = {canonicalize_name(d.name): d.version for d in metadata.distributions()}
    different = {n: (installed.get(n), v) for n, v in lock.items() if installed.get(n) != v}
    assert not different


def test_conda_and_container_install_the_lock_alone(project: dict[str, object]) -> None:
    """Neither names a package or version of its own; both have one and the same Python."""
    conda = yaml.safe_load((ROOT / "envs/taipan.yaml").read_text(encoding="utf-8"))
    python, pip, packages = conda["dependencies"]
    assert pip == "pip"
    assert packages == {"pip": ["-r ../requirements.lock"]}
    container = (ROOT / "Containerfile").read_text(encoding="utf-8")
    base = re.search(r"^FROM \S+python:(3\.\d+)-slim$", container, re.MULTILINE)
    assert base is not None
    assert python == f"python={base.group(1)}"
    assert f"{base.group(1)}.0" in Requirement(f"x{project['requires-python']}").specifier
    installs = re.findall(r"pip install (.*)$", container, re.MULTILINE)
    assert [line.split("--no-cache-dir ")[1] for line in installs] == [
        "--require-hashes -r requirements.lock",
        "--no-deps --no-build-isolation .",
    ]


def test_container_copies_what_exists() -> None:
    container = (ROOT / "Containerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (.*)$", container, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name


def load_script(name: str) -> Any:
    """Load a script of the folder `.ci`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f".ci/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def audit() -> Any:
    """The script `.ci/audit.py`."""
    return load_script("audit")


def test_audit_reads_all_lock_files(audit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """And says how many packages of each were compared."""
    assert audit.main(["--offline"]) == 0
    first, second, third, fourth = capsys.readouterr().out.splitlines()
    assert re.match(r"requirements\.lock: 2\d\d packages; 0 looked up .*, 20 compared with", first)
    assert second.startswith("envs/root.lock: 2 packages; 0 looked up ")
    assert re.match(r"envs/docs\.lock: 3\d packages; 0 looked up .*, 6 compared", third)
    assert fourth.startswith("envs/htcondor.lock: 2 packages; 0 looked up ")
    audit.FLOORS["root"] = ("99.0", "CVE-0")
    assert audit.main(["--offline"]) == 1
    assert "error: envs/root.lock: root 0.1a12: CVE-0" in capsys.readouterr().err


def test_audit_knows_bad_versions_and_finds_none_locked(audit: Any) -> None:
    (line,) = audit.below_floor({"pyarrow": "14.0.0", "requests": "2.33.0"})
    assert line == "pyarrow 14.0.0: CVE-2023-47248, mended in 14.0.1"
    packages = audit.locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert len(packages) > 100
    assert audit.below_floor(packages) == []


def test_pixi_installs_the_lock_alone(project: dict[str, Any]) -> None:
    """With the Python of the conda file; nothing has a version of its own."""
    content = tomllib.loads((ROOT / "pixi.toml").read_text(encoding="utf-8"))
    conda = yaml.safe_load((ROOT / "envs/taipan.yaml").read_text(encoding="utf-8"))
    assert content["dependencies"] == {"python": "3.12.*", "pip": "*"}
    assert conda["dependencies"][:2] == ["python=3.12", "pip"]
    assert content["workspace"]["name"] == project["name"]
    assert content["workspace"]["channels"] == conda["channels"]
    assert content["workspace"]["platforms"] == ["linux-64", "linux-aarch64", "osx-arm64"]
    tasks = content["tasks"]
    assert tasks["packages"].endswith("pip install --require-hashes -r requirements.lock")
    assert " --no-deps " in tasks["install"]["cmd"]
    known = [name for name, task in tasks.items() if isinstance(task, dict)]
    assert all(set(tasks[name]["depends-on"]) <= set(tasks) for name in known)


def test_page_on_macs_tells_what_ci_asks_for() -> None:
    """Every platform of ``.ci/platforms.py`` is in its table, those without wheels as such."""
    platforms = load_script("platforms")
    text = (ROOT / "docs/howto/macos.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| (yes|no)\b", text, re.MULTILINE))
    assert rows == {
        "Linux, x86_64 or arm64": "yes",
        "Mac with Apple silicon, macOS 14": "yes",
        "Mac with Intel processor": "no",
    }
    assert set(platforms.PLATFORMS) == {"Linux, x86_64", "Linux, arm64", "macOS 14, Apple silicon"}
    assert set(platforms.WITHOUT) == {"macOS 14, Intel"}
    assert all(f"{python}" in text for python in platforms.PYTHONS)
    others = (ROOT / ".ci/other_pythons").read_text(encoding="utf-8")
    assert "for version in 3.12 3.13;" in others


def test_reana_is_given_all_that_the_workflow_reads() -> None:
    content = yaml.safe_load((ROOT / "reana.yaml").read_text(encoding="utf-8"))
    given = {*content["inputs"]["files"], *content["inputs"]["directories"]}
    assert given == set(PARTS) - {"envs"}
    (step,) = content["workflow"]["specification"]["steps"]
    assert any("snakemake --cores" in command for command in step["commands"])
    text = (ROOT / "docs/outputs.md").read_text(encoding="utf-8")
    for name in content["outputs"]["files"]:
        assert f"`{Path(name).name}`" in text, name


def test_catalogue_of_workflows_says_what_is_there() -> None:
    content = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text("utf-8"))["usage"]
    snakefile = (ROOT / "Snakefile").read_text(encoding="utf-8")
    stack = content["software-stack-deployment"]
    assert stack["apptainer"] is ("container:" in snakefile)
    rules = [path.read_text(encoding="utf-8") for path in (ROOT / "workflow").rglob("*.smk")]
    assert stack["conda"] is any("conda:" in text for text in rules)
    assert content["report"] is ("report:" in snakefile)
    assert (ROOT / "config/README.md").exists()  # which the catalogue shows


def test_fresh_machine_runs_the_commands_of_the_readme() -> None:
    script = ROOT / "benchmarks/fresh_machine.sh"
    subprocess.run(["bash", "-n", str(script)], check=True)
    commands = re.findall(r"^\$ (\./run.*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    text = script.read_text(encoding="utf-8")
    assert commands[:2] == ["./run", "./run test"]
    assert re.search(r"^  timed run 480 readme 'cd taipan && \./run &&", text, re.MULTILINE)
    assert re.search(r"^  timed test 720 readme 'cd taipan && \./run test'", text, re.MULTILINE)
    assert re.search(r"^  timed demo 180 wheel '.* taipan run demo && test -s", text, re.MULTILINE)
