"""Download one file of the dataset catalogue."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.fetch import fetch

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    # from where and how patiently a file is fetched does not change it: no parameters
    run_script(
        fetch,
        remote=snakemake.config["remote"],
        expected=snakemake.params.expected,
        receipt=snakemake.output.receipt,
        log=snakemake.log[0],
    )
