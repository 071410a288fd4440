"""Train the networks of every fold and export an ONNX file a fold."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.train import train

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        train,
        events=local_files(snakemake.params.events, snakemake.input.events),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        transfer_factor=snakemake.input.transfer_factor,
        config=snakemake.params.config,
        seed=snakemake.params.seed,
        code=snakemake.params.code,
        threads=snakemake.threads,
        weights=list(snakemake.input.weights),
        models=list(snakemake.output.models),
        record=snakemake.output.record,
        checkpoints=snakemake.params.checkpoints,
        best=snakemake.input.get("best"),
        log=snakemake.log[0],
    )
