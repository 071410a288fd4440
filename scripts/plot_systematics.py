"""Draw the templates of the systematic uncertainties of one observable."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.plot_systematics import plot_systematics

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        plot_systematics,
        templates=snakemake.input.templates,
        workspace=snakemake.input.workspace,
        record=snakemake.input.record,
        config=snakemake.params.config,
        observable=snakemake.params.observable,
        header=snakemake.params.header,
        outputs=dict(snakemake.output.items()),
        log=snakemake.log[0],
    )
