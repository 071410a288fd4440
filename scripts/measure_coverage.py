"""Judge the coverage that was measured; the report of it stays whatever the verdict is."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.measure_coverage import measure_coverage

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(measure_coverage, report=snakemake.input.report, log=snakemake.log[0])
