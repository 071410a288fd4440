"""Every module that a rule's script uses is part of the rule's `code` parameter."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from taipan import provenance

ROOT = Path(__file__).parents[2]
PLUMBING = {
    *("taipan", "taipan.atomic", "taipan.errors", "taipan.scripting", "taipan.provenance"),
    *("taipan.config", "taipan.config.slices", "taipan.config.model", "taipan.analysis"),
    *("taipan.config.adversary", "taipan.config.base"),
    "taipan.checksums",
    "taipan.limits",
    "taipan.datasets",
}
"""Reads, writes and types: they decide no number."""
RULE = re.compile(r"rule (\w+):(.*?)(?=\n\s*rule |\Z)", re.DOTALL)


def closure(modules: set[str]) -> set[str]:
    found: set[str] = set()
    pending = list(modules)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += provenance._imports(name)
    return found


def rules() -> list[tuple[str, str, str]]:
    found = []
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for name, body in RULE.findall(path.read_text(encoding="utf-8")):
            script = re.search(r"scripts/(\w+\.py)", body)
            if script:
                found.append((name, body, script.group(1)))
    return found


@pytest.mark.parametrize(("rule", "body", "script"), rules(), ids=[item[0] for item in rules()])
def test_code_parameter_covers_the_script(rule: str, body: str, script: str) -> None:
    """Training once missed a module that its script imports, and stayed stale."""
    call = re.search(r"code_version\((.*?)\)", body, re.DOTALL)
    assert call, f"rule {rule} has no code version"
    declared = set(re.findall(r'"([\w.]+)"', call.group(1)))
    if "CONFIG.module" in call.group(1):
        declared.add("taipan.analyses.htautau")
    needed: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / "scripts" / script).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("taipan."):
            needed.add(str(node.module))
            members = (f"{node.module}.{alias.name}" for alias in node.names)
            needed |= {name for name in members if provenance._file_of(name)}
    assert closure(needed) - closure(declared) <= PLUMBING


@pytest.mark.parametrize("rule", ["optimise_binning", "histogram"])
def test_what_bins_the_score_waits_for_both_gates(rule: str) -> None:
    """Choosing the edges once did not wait for the gate on the weights."""
    (body,) = [found for name, found, _ in rules() if name == rule]
    inputs = body.split("output:")[0]
    assert "models=MODELS" in inputs
    assert "verdict=OVERTRAINING" in inputs
    assert "weights=WEIGHT_VERDICT" in inputs
