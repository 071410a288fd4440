"""Merge the cutflows of all chunks and derive the normalisation of every dataset."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.normalise import normalise_datasets

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        normalise_datasets,
        cutflows=list(snakemake.input.cutflows),
        nominal=list(snakemake.input.get("nominal", [])),
        catalogue=snakemake.params.catalogue,
        luminosity=snakemake.params.luminosity,
        data=snakemake.input.get("data"),
        expected_events=snakemake.params.expected_events,
        normalisation=snakemake.output.normalisation,
        cutflow=snakemake.output.cutflow,
        table=snakemake.output.table,
        skipped=snakemake.output.skipped,
        identities=local_files(snakemake.params.identities, snakemake.input.identities),
        duplicates=snakemake.params.duplicates,
        repeats=snakemake.output.get("repeats"),
        log=snakemake.log[0],
    )
