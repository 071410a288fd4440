"""General code names no final state: what belongs to one analysis stands in its folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = re.compile(
    r"htautau|same_sign|\bQCD\b|qcd_os_ss|\bm_vis\b|w_control|tau_pt|\bHiggs\b|CMS Open Data"
    r"|\b8 TeV|energy.{0,4}\b8\.0"
)
"""Samples, regions, quantities and labels of H→ττ."""
OF_ONE = ("src/taipan/fastsim", "src/taipan/estimates")
"""The simulation of H→ττ; methods of estimating, each with its own names."""
CHOSEN = ("src/taipan/analysis_folder.py", 'DEFAULT_ANALYSIS = "htautau"')
"""The one line that says which analysis is run where none is named."""


def find_names(text: str) -> list[str]:
    return [line for line in text.splitlines() if NAMES.search(line)]


def general_files() -> list[Path]:
    """Python files, rules and captions."""
    found = [ROOT / "Snakefile"]
    for folder in ("src/taipan", "workflow", "scripts"):
        for suffix in ("py", "smk", "rst"):
            found += sorted((ROOT / folder).rglob(f"*.{suffix}"))
    return [path for path in found if not str(path.relative_to(ROOT)).startswith(OF_ONE)]


def test_general_code_names_no_final_state() -> None:
    files = general_files()
    assert len(files) > 300
    found = [
        (str(path.relative_to(ROOT)), line)
        for path in files
        for line in find_names(path.read_text(encoding="utf-8"))
    ]
    assert found == [CHOSEN]


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ('reference: str = "m_vis"', True),
        ("def add_same_sign(histogram):", True),
        ('text = "Data − QCD estimate"', True),
        ('"energy": 8.0,  # TeV', True),
        ("A Higgs boson at 8 TeV", True),
        ('"particleNet_TvsQCD"', False),
        ("the HiggsML score", False),
        ("energy at 13 TeV", False),
    ],
)
def test_names_are_seen_as_words(text: str, is_found: bool) -> None:
    assert bool(find_names(text)) == is_found


def test_kinds_of_systematics_are_known_to_their_room_alone() -> None:
    """`kind == "rate"` stood in twelve modules and two rule files."""
    from taipan.systematics.registry import KINDS

    assert set(KINDS) >= {"rate", "weight", "kinematic", "sample", "control_residual"}
    asked = re.compile(rf"kind\"?\]? *(==|!=|in|not in) .*\"({'|'.join(KINDS)})\"")
    found = [
        (str(path.relative_to(ROOT)), line)
        for path in general_files()
        if "systematics/" not in str(path)
        for line in path.read_text(encoding="utf-8").splitlines()
        if asked.search(line)
    ]
    assert found == []
    assert asked.search('if item.kind != "rate":')
