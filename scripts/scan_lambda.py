"""Compare the strengths of the adversary and choose one."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.scan_lambda import scan_lambda

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        scan_lambda,
        points=list(snakemake.input.points),
        config=snakemake.params.config,
        header=snakemake.params.header,
        choice=snakemake.output.choice,
        figures={
            name: {kind: snakemake.output[f"{name}_{kind}"] for kind in ("pdf", "png", "json")}
            for name in ("scan_auc", "scan_sigma", "scan_scores")
        },
        log=snakemake.log[0],
    )
