"""Gates of a run: passed, failed, or so wide that nothing can fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from taipan.atomic import read_json
from taipan.certify.lines import Line, judge

_WIDEST: dict[str, float] = {
    "max_auc_gap": 0.1,
    "max_chi2_per_ndf": 5.0,
    "max_sumw_change": 0.01,
}
"""Limit of a gate → the largest one that still is a check.

An AUC of training events that is 0.1 above that of unseen ones, a distribution with χ²/ndf of 5,
and a yield that a transformation of weights changes by 1 % are no matter of opinion.
"""
_LARGEST_RATIO = 1.2
"""The same of ``overtraining.conditions``: unseen events that score 20 % worse."""
_SMALLEST_PROBABILITY = 1e-6
"""The same of probabilities, which a gate must find too small: below 5 σ."""
_REQUIRED = {
    "check_overtraining": ("conditions", "min_ks_probability", "min_chi2_probability"),
    "check_weights": ("min_probability", "max_chi2_per_ndf", "max_sumw_change"),
}


def judge_gates(results: Path, summary: Mapping[str, Any]) -> list[Line]:
    """Give a line for each gate.

    Parameters
    ----------
    results
        Folder of the analysis in the results.
    summary
        Content of its ``summary.json``, which says which gates there are.
    """
    names = sorted(
        {*summary["gates"], *_expected_gates(results), *_written_gates(results)},
    )
    return [_judge_gate(results, name, summary["gates"].get(name)) for name in names]


def _expected_gates(results: Path) -> Iterator[str]:
    """Gates that networks in the results must have passed."""
    records = sorted(results.glob("models/**/training.json"))
    for record in records:
        folder = record.parent.relative_to(results / "models")
        yield (Path("check_overtraining") / folder).as_posix()
    if records:
        yield "check_weights"


def _written_gates(results: Path) -> Iterator[str]:
    for verdict in results.glob("gates/**/verdict.json"):
        yield verdict.parent.relative_to(results / "gates").as_posix()


def _judge_gate(results: Path, name: str, summarised: Mapping[str, Any] | None) -> Line:
    link = f"gates/{name}/verdict.json"
    title = f"gate {name}"
    if not (results / link).is_file():
        return judge(title, "no verdict", "a verdict", passed=False, link=link, reason="it is off")
    verdict = read_json(results / link)
    conditions = verdict.get("conditions", [])
    failed = [item for item in conditions if not item["passed"]]
    open_limits = list(_open_limits(name, verdict.get("limits", {})))
    if not conditions and name.partition("/")[0] in _REQUIRED:
        open_limits.append("it has no condition")
    reasons = [f"switched off: {text}" for text in open_limits]
    if failed or not verdict["passed"]:
        reasons.append("failed: " + ", ".join(sorted({item["name"] for item in failed})))
    if summarised is None or bool(summarised["passed"]) != bool(verdict["passed"]):
        reasons.append("summary.json has another verdict")
    return judge(
        title,
        f"{len(conditions) - len(failed)} of {len(conditions)} conditions hold",
        "all, with limits that can fail",
        passed=not reasons,
        link=link,
        reason="; ".join(reasons),
    )


def _open_limits(name: str, limits: Mapping[str, Any]) -> Iterator[str]:
    """Say which limits of a gate nothing can exceed."""
    for key in _REQUIRED.get(name.partition("/")[0], ()):
        if key not in limits:
            yield f"{key} is not limited"
    for key, widest in _WIDEST.items():
        if key in limits and not limits[key] <= widest:
            yield f"{key} is {limits[key]:g} (at most {widest:g})"
    for key, value in limits.items():
        if key.endswith("_probability") and not value >= _SMALLEST_PROBABILITY:
            yield f"{key} is {value:g} (at least {_SMALLEST_PROBABILITY:g})"
    for item in limits.get("conditions", ()):
        if not item["max_ratio"] <= _LARGEST_RATIO:
            yield f"{item['metric']}: max_ratio is {item['max_ratio']:g} (at most {_LARGEST_RATIO})"
    if "conditions" in limits and not limits["conditions"]:
        yield "conditions is empty"
