"""What all scripts of rules have in common."""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 30


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_verifies_and_records_its_files(path: Path) -> None:
    """By `run_script`, to which everything is given."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    (main,) = [node for node in tree.body if isinstance(node, ast.If)][-1:]
    assert ast.unparse(main.test) == "__name__ == '__main__'"
    calls = [node for node in ast.walk(main) if isinstance(node, ast.Call)]
    own = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
    assert "run_script" in own
    assert own - {"run_script", "local_files"} <= set(dir(builtins))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_events_are_read_where_the_job_has_them(path: Path) -> None:
    """Without a shared file system the names in `params` are those of no file of the job."""
    text = path.read_text(encoding="utf-8")
    as_named = len(re.findall(r"snakemake\.params\.events\b", text))
    translated = r"local_files\(\s*snakemake\.params\.events,\s*snakemake\.input\.\w+"
    assert len(re.findall(translated, text)) == as_named
