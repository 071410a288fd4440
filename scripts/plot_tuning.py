"""Draw the trials of the search and the importance of the hyperparameters."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.plot_tuning import FIGURES, plot_tuning

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        plot_tuning,
        trials=snakemake.input.trials,
        best=snakemake.input.best,
        header=snakemake.params.header,
        outputs={
            figure: {kind: snakemake.output[f"{figure}_{kind}"] for kind in ("pdf", "png", "json")}
            for figure in FIGURES
        },
        log=snakemake.log[0],
    )
