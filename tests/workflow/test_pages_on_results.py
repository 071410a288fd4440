"""The commands and programs of the how-to pages that read what a run has left."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from taipan.cli.main import main
from tests.pages import PAGES, Block, needs_results, read_blocks, write_block
from tests.project import RESULTS, ROOT, SMOKE, Project, copy_project

pytestmark = pytest.mark.workflow

MU = {"name": "mu", "type": "normfactor", "data": None}
RATE = {"name": "luminosity", "type": "normsys", "data": {"hi": 1.02, "lo": 0.98}}
WORKSPACE = {
    "channels": [
        {
            "name": "signal",
            "samples": [
                {"name": "X", "data": [5.0, 9.0], "modifiers": [MU]},
                {"name": "TT", "data": [50.0, 30.0], "modifiers": [RATE]},
            ],
        }
    ],
    "observations": [{"name": "signal", "data": [52, 41]}],
    "measurements": [{"name": "mu", "config": {"poi": "mu", "parameters": []}}],
    "version": "1.0.0",
}


def is_program(block: Block) -> bool:
    """Tell whether a block is a Python file of its own."""
    return block.kind == "python" and "/" not in block.title


def reads_results(page: Path) -> bool:
    blocks = read_blocks(page)
    return any(is_program(block) for block in blocks) or any(
        needs_results(words) for block in blocks for words in block.commands()
    )


def complete(words: list[str]) -> list[str]:
    """Name the configuration of the run, which is not the default one, where a page need not."""
    reads = words[1:3] == ["export", "events"] or words[1] == "publish"
    return [*words, "--configfile", SMOKE] if reads else words


def is_there(words: list[str]) -> bool:
    """Tell whether the run that a command shows is here; other runs are not."""
    return words[1] != "show" or Path(words[2], "summary.json").exists()


@pytest.fixture
def folder(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which `results/htautau` is a finished run, `results/demo` a small model."""
    (tmp_path / "results/demo").mkdir(parents=True)
    (tmp_path / "results/demo/workspace.json").write_text(json.dumps(WORKSPACE), encoding="utf-8")
    for name in ("results/htautau", RESULTS):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(finished.path / RESULTS)
    (tmp_path / "config").symlink_to(finished.path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# hepdata-validator leaves the files that it has read to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if reads_results(page)], ids=lambda path: path.stem
)
def test_page_works_on_results(
    page: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what stands below a command is what it says."""
    said = ""
    for block in read_blocks(page):
        if block.title and "/" not in block.title:
            write_block(block, folder)
        if is_program(block):
            runpy.run_path(str(folder / block.title))
            plt.close("all")
        if block.kind == "text" and said:
            assert [line for line in block.text.splitlines() if line not in said] == []
        said = ""
        for words in block.commands():
            if needs_results(words) and is_there(words):
                assert main(complete(words)[1:]) == 0, words
                said += capsys.readouterr().out


def test_dry_run_of_a_page_plans_the_whole_analysis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page that shows one, on the analysis that a new user has just made."""
    project = copy_project(tmp_path / "taipan")
    monkeypatch.chdir(project.path)
    assert main(["new", "demo"]) == 0
    blocks = read_blocks(ROOT / "docs/howto/run-on-few-events.md")
    write_block(next(block for block in blocks if block.title == "few.yaml"), project.path)
    (words,) = [words for block in blocks for words in block.commands() if "-n" in words]
    assert words == ["./run", "-n", "--config", "analysis=demo", "--configfile", "few.yaml"]
    said = project.snakemake(*words[1:4], config=("few.yaml",)).stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE))
    assert jobs["simulate"] == jobs["skim"] == "4"
    assert jobs["fit"] == "2"
    assert int(jobs["total"]) == 37
