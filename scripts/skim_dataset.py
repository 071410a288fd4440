"""Skim all chunks of a dataset on a Dask cluster."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.skim_dataset import skim_dataset

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    # where the chunks are read and skimmed changes nothing: no parameters, which would run them
    # again
    run_script(
        skim_dataset,
        files=list(snakemake.input.files),
        tasks=snakemake.params.tasks,
        code=snakemake.params.code,
        remote=snakemake.config["remote"],
        scheduler=snakemake.config["skim"]["dask_scheduler"],
        events=list(snakemake.output.events),
        cutflows=list(snakemake.output.cutflows),
        identities=list(snakemake.output.identities),
        log=snakemake.log[0],
    )
