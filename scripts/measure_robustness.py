"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.measure_robustness import measure_robustness

run_job(measure_robustness)
