"""Skim one chunk of a dataset."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.skim import skim

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    # where and how patiently a file is read does not change what is read: no parameters, which
    # would run finished jobs again
    run_script(
        skim,
        file=snakemake.input.file or None,
        task=snakemake.params.task,
        code=snakemake.params.code,
        remote=snakemake.config["remote"],
        events=snakemake.output.events,
        cutflow=snakemake.output.cutflow,
        identities=snakemake.output.identities,
        log=snakemake.log[0],
    )
