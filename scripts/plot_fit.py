"""Draw a fit: prefit and postfit distributions, pulls and correlations."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.plot_fit import FIGURES, plot_fit

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        plot_fit,
        result=snakemake.input.result,
        config=snakemake.params.config,
        header=snakemake.params.header,
        outputs={
            figure: {kind: snakemake.output[f"{figure}_{kind}"] for kind in ("pdf", "png", "json")}
            for figure in FIGURES
        },
        log=snakemake.log[0],
    )
