"""Draw the weights: their distribution, where the negative ones are, closure of the features."""

from typing import TYPE_CHECKING, Any

from taipan.plotting.weights import FIGURES
from taipan.scripting import run_script
from taipan.stages.plot_weights import plot_weights

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        plot_weights,
        diagnostics=snakemake.input.diagnostics,
        header=snakemake.params.header,
        units=snakemake.params.units,
        outputs={
            figure: {kind: snakemake.output[f"{figure}_{kind}"] for kind in ("pdf", "png", "json")}
            for figure in FIGURES
        },
        log=snakemake.log[0],
    )
