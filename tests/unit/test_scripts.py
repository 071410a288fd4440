"""What all scripts of rules have in common: each hands its job to the stage of its name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
STAGES = sorted((ROOT / "src/taipan/stages").glob("[a-z]*.py"))
SCRIPT = """\
\"\"\"Snakemake's way into the stage of this name.\"\"\"

from taipan.jobs.run import run_job
from taipan.stages.NAME import NAME

run_job(NAME)
"""


def test_every_stage_has_its_script() -> None:
    assert len(SCRIPTS) >= 30
    assert [path.name for path in SCRIPTS] == [path.name for path in STAGES]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_hands_its_job_to_its_stage(path: Path) -> None:
    """By `run_job`, which verifies and records files, and finds events where the job has them."""
    assert path.read_text(encoding="utf-8") == SCRIPT.replace("NAME", path.stem)


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_stage_knows_nothing_of_snakemake(path: Path) -> None:
    """So that it can be called by anyone, and nothing depends on what the signature hides."""
    assert re.search(r"\bsnakemake\.", path.read_text(encoding="utf-8")) is None


def test_script_says_how_its_stage_is_run_by_hand() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/list_yields.py")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "list_yields: error: this file is for Snakemake; "
        "by hand: python -m taipan.stages.list_yields --help\n"
    )
