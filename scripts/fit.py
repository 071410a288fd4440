"""Fit a workspace: expected and observed results."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from taipan.atomic import read_json, write_json
from taipan.inference import run_inference
from taipan.scripting import run_script

if TYPE_CHECKING:
    snakemake: Any


def fit(
    workspace: str, record: str, confidence_level: float, groups: Mapping[str, str], result: str
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
        ),
    )


if __name__ == "__main__":
    run_script(
        fit,
        workspace=snakemake.input.workspace,
        record=snakemake.input.record,
        confidence_level=snakemake.params.confidence_level,
        groups=snakemake.params.groups,
        result=snakemake.output.result,
        log=snakemake.log[0],
    )
