"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.compare_estimates import compare_estimates

run_job(compare_estimates)
