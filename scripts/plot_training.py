"""Draw the training: learning curves, score distributions and ROC curve."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.plot_training import FIGURES, plot_training

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        plot_training,
        record=snakemake.input.record,
        verdict=snakemake.input.verdict,
        header=snakemake.params.header,
        outputs={
            figure: {kind: snakemake.output[f"{figure}_{kind}"] for kind in ("pdf", "png", "json")}
            for figure in FIGURES
        },
        log=snakemake.log[0],
    )
