"""Fit a workspace: expected and observed results."""

from __future__ import annotations

from collections.abc import Mapping

from taipan.atomic import read_json, write_json
from taipan.inference import run_inference
from taipan.inference.impacts import choose_method


def fit(
    workspace: str,
    record: str,
    confidence_level: float,
    groups: Mapping[str, str],
    result: str,
    impacts: str = "refits",
) -> None:
    """Fit the workspace and write everything that is computed from it.

    Parameters
    ----------
    workspace
        pyhf workspace (JSON).
    record
        Record written beside it: observable, blinding, bin edges.
    confidence_level
        Level of the upper limit, for instance 0.95.
    groups
        Systematic → group in the uncertainty breakdown.
    result
        JSON file to write; its keys are described in ``docs/fit.md``.
    impacts
        How impacts are computed: ``refits`` or ``covariance``.

    Raises
    ------
    FitError
        If a fit does not converge; says which and why.
    """
    write_json(
        result,
        run_inference(
            read_json(workspace),
            read_json(record),
            confidence_level=confidence_level,
            groups=groups,
            impacts=choose_method(impacts),
        ),
    )


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(fit)
