"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.measure_coverage import measure_coverage

run_job(measure_coverage)
