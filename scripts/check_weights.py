"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.check_weights import check_weights

run_job(check_weights)
