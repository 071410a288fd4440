"""Make one fastsim dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.fastsim import FastsimSettings, write_dataset, write_truth
from taipan.scripting import run_script

if TYPE_CHECKING:
    snakemake: Any


def simulate(dataset: str, settings: dict[str, Any], seed: int, output: str) -> None:
    """Write the ROOT file of a dataset."""
    write_dataset(dataset, Path(output), FastsimSettings(**settings), seed)


def record_truth(settings: dict[str, Any], seed: int, output: str) -> None:
    """Write the truth record of the pseudo-data."""
    write_truth(Path(output), FastsimSettings(**settings), seed)


if __name__ == "__main__":
    arguments = {
        "settings": snakemake.params.settings,
        "seed": snakemake.params.seed,
        "output": snakemake.output[0],
        "log": snakemake.log[0],
    }
    if snakemake.rule == "simulate":
        run_script(simulate, dataset=snakemake.wildcards.dataset, **arguments)
    else:
        run_script(record_truth, **arguments)
