"""Put the results of a run together: summary.json and summary.md."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.summarize import summarize

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        summarize,
        fit=snakemake.input.fit,
        reference=snakemake.input.get("reference"),
        records=list(snakemake.input.records),
        gates=list(snakemake.input.gates),
        yields=snakemake.input.yields,
        transfer_factor=snakemake.input.transfer_factor,
        truth=snakemake.input.get("truth"),
        skipped=list(snakemake.input.skipped),
        benchmarks=snakemake.params.benchmarks,
        config=snakemake.params.config,
        identity=snakemake.params.identity,
        summary=snakemake.output.summary,
        text=snakemake.output.text,
        log=snakemake.log[0],
    )
