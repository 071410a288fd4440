"""Train against an adversary of one strength with one seed, and expect an uncertainty."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.scan_point import scan_point

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        scan_point,
        files={
            "events": local_files(snakemake.params.events, snakemake.input.events),
            "normalisation": snakemake.input.normalisation,
            "pileup": snakemake.input.pileup,
            "transfer_factor": snakemake.input.transfer_factor,
            "shapes": snakemake.input.shapes,
            "weights": list(snakemake.input.weights),
            "best": snakemake.input.get("best"),
        },
        config=snakemake.params.config,
        strength=snakemake.wildcards.strength,
        seed=snakemake.params.seeds[int(snakemake.wildcards.number)],
        threads=snakemake.threads,
        models=list(snakemake.output.models),
        record=snakemake.output.record,
        point=snakemake.output.point,
        log=snakemake.log[0],
    )
