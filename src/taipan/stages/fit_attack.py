"""Fit with a nuisance parameter for the attack: a line of its own beside the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taipan.atomic import read_json, write_json, write_text
from taipan.errors import TaipanError
from taipan.inference import run_inference
from taipan.robustness.measure import MovedTemplates
from taipan.robustness.nuisance import NAME, add_attack
from taipan.robustness.text import write_attack_fit


def fit_attack(
    workspace: str,
    record: str,
    robustness: str,
    nominal: str,
    confidence_level: float,
    result: str,
    text: str,
) -> None:
    """Write the fit whose model has the template under attack as one more nuisance parameter.

    Parameters
    ----------
    workspace, record
        Workspace of the fit, which stays as it is, and what was written beside it.
    robustness
        JSON file of the rule ``measure_robustness``.
    nominal
        Result of the fit without the attack.
    confidence_level
        Level of the upper limit, for instance 0.95.
    result, text
        Files to write: the fit (``docs/fit.md``) and both side by side as Markdown.

    Raises
    ------
    TaipanError
        If the attack moves no template, or the bins are not those of the workspace.
    FitError
        If the fit does not converge.
    """
    found = read_json(robustness)
    templates = {
        name: MovedTemplates.read(item["templates"]) for name, item in found["samples"].items()
    }
    if not any((item.attacked != item.nominal).any() for item in templates.values()):
        raise TaipanError(
            f"{robustness}: the attack moves no template; add a systematic of kind `kinematic`"
        )
    space = read_json(workspace)
    _check_bins(space, found["region"], templates, robustness)
    extended = add_attack(space, found["region"], templates)
    fitted = run_inference(
        extended,
        read_json(record),
        confidence_level=confidence_level,
        impacts="covariance",
    )
    write_json(result, fitted)
    write_text(text, write_attack_fit(read_json(nominal), fitted, NAME))


def _check_bins(
    space: Mapping[str, Any], region: str, templates: Mapping[str, MovedTemplates], path: str
) -> None:
    for channel in space["channels"]:
        bins = len(channel["samples"][0]["data"])
        for name, item in templates.items() if channel["name"] == region else ():
            if len(item.nominal) != bins:
                raise TaipanError(
                    f"{path}: {len(item.nominal)} bins of {name}, the workspace has {bins}; "
                    "run `snakemake robustness` again"
                )


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(fit_attack)
