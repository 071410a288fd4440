"""The tutorials and how-to pages say what works: their files load, their commands exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from taipan.cli.main import main
from tests.pages import (
    ELSEWHERE,
    PAGES,
    ROOT,
    Block,
    merge,
    needs_results,
    read_blocks,
    replace_names,
    write_block,
)

WITHOUT_RUN = (ROOT / "docs/tutorials/histograms-to-limit.md",)
"""Its YAML is that of `taipan import`, and its commands are run with the others on models."""
DEMO = ["config", "check", "--analysis", "demo"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as a new user has it, with the analysis `demo`."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "nanoaod").mkdir()
    for name in ("dy_1", "dy_2", "tt", "signal", "data"):  # of one of the pages
        (tmp_path / f"nanoaod/{name}.root").touch()
    monkeypatch.chdir(tmp_path)
    assert taipan("new", "demo") == 0
    return tmp_path


def taipan(*words: str) -> int:
    """Run the command as a process of its own does, which knows no files of before."""
    for name in [name for name in sys.modules if name.startswith("taipan_analysis_")]:
        del sys.modules[name]
    return main(words)


def run_command(words: list[str], folder: Path) -> None:
    """Run what is cheap; of what is not, read the configuration that it names."""
    program, *rest = words
    if words[:2] == ["taipan", "run"]:  # the same as ./run
        program, rest = "./run", rest[1:]
    if program == "./run" and rest[:1] not in (["install"], ["test"]):
        options = [word for word in rest if word not in ("-n", "--dry-run")]
        assert taipan("results-folder", *options) == 0
    elif program == "snakemake":
        for name in (word for word in rest if word.endswith(".yaml")):
            assert (folder / name).exists(), name
    elif program == "cd":
        os.chdir(rest[0])
    elif program == "sed":
        before = Path(rest[-1]).read_text(encoding="utf-8")
        subprocess.run(words, check=True)
        assert Path(rest[-1]).read_text(encoding="utf-8") != before, words
    elif program == "taipan" and rest[0] == "new":
        shutil.rmtree(folder / "config/analyses" / rest[1], ignore_errors=True)
        assert taipan(*rest) == 0
    elif program == "taipan" and not needs_results(words):
        assert taipan(*rest) == 0, words
    else:
        assert program in (*ELSEWHERE, "./run", "taipan"), words


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_page_works(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed, said = set(), ""
    for block in read_blocks(page):
        assert block.kind in ("console", "python", "text", "yaml"), block
        assert block.title or block.kind in ("console", "text"), f"no title: {block.text}"
        if block.title:
            write_block(block, folder)
            changed |= set(re.findall(r"^config/analyses/(\w+)/", block.title))
            if block.kind == "yaml" and "/" not in block.title and page not in WITHOUT_RUN:
                check = ["config", "check", "--config", block.title]
                content = yaml.safe_load(block.text)
                check += [] if "analysis" in content else ["--analysis", "demo"]
                assert taipan(*check) == 0, capsys.readouterr().err
        if block.kind == "text" and "problem found" in said:
            assert block.text.strip() in said
        capsys.readouterr()
        for words in block.commands():
            run_command(words, folder)
        said = capsys.readouterr().out
    for name in changed:
        assert taipan("config", "check", "--analysis", name) == 0, capsys.readouterr().err


def test_a_mistake_on_a_page_is_seen(folder: Path) -> None:
    """A key that does not exist, a systematic of an unknown sample, an option that is none."""
    write_block(Block("yaml", "my.yaml", "trainig: {folds: 2}\n"), folder)
    assert taipan(*DEMO, "--config", "my.yaml") == 1
    path = "config/analyses/demo/analysis.yaml"
    write_block(Block("yaml", path, "systematics: {luminosity: {samples: [WW]}}\n"), folder)
    assert taipan(*DEMO) == 1
    with pytest.raises(SystemExit):
        run_command(["taipan", "config", "check", "--analysys", "demo"], folder)
    with pytest.raises(AssertionError):
        run_command(["snakemak", "--cores", "2"], folder)


def test_blocks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        'a\n\n   ```console\n   $ a b \\\n       "c d" # e\n   out\n   ```\n'
        '```yaml title="my.yaml"\nx: 1\n```\n',
        encoding="utf-8",
    )
    first, second = read_blocks(page)
    assert list(first.commands()) == [["a", "b", "c d"]]
    assert second == Block("yaml", "my.yaml", "x: 1\n")


def test_files_are_changed_as_a_reader_does() -> None:
    assert merge({"a": {"b": 1, "c": 2}}, {"a": {"c": [3]}, "d": None}) == {
        "a": {"b": 1, "c": [3]},
        "d": None,
    }
    before = "import a\n\n\n@x\ndef f():\n    return 1\n\n\nANALYSIS = f()\n"
    text = replace_names(before, "@x\ndef f():\n    return 2\n\n\ndef g():\n    return 3\n")
    assert re.sub(r"\n+", "\n", text) == (
        "import a\n@x\ndef f():\n    return 2\ndef g():\n    return 3\nANALYSIS = f()\n"
    )


def test_every_page_is_on_the_list_of_tasks() -> None:
    index = (ROOT / "docs/howto/index.md").read_text(encoding="utf-8")
    pages = {path.name for path in PAGES if path.parent.name == "howto"} - {"index.md"}
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", index)) == pages
