"""The commands and programs of the how-to pages that read what a run has left."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from taipan.cli.main import main
from tests.pages import PAGES, Block, needs_results, read_blocks, write_block
from tests.project import RESULTS, Project

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


@pytest.fixture
def folder(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which `results/htautau` is a finished run, `results/demo` a small model."""
    (tmp_path / "results/demo").mkdir(parents=True)
    (tmp_path / "results/demo/workspace.json").write_text(json.dumps(WORKSPACE), encoding="utf-8")
    (tmp_path / "results/htautau").symlink_to(finished.path / RESULTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "page", [page for page in PAGES if reads_results(page)], ids=lambda path: path.stem
)
def test_page_works_on_results(page: Path, folder: Path) -> None:
    for block in read_blocks(page):
        if block.title and "/" not in block.title:
            write_block(block, folder)
        if is_program(block):
            runpy.run_path(str(folder / block.title))
            plt.close("all")
        for words in block.commands():
            if needs_results(words):
                assert main(words[1:]) == 0, words
