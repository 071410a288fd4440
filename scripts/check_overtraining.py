"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.check_overtraining import check_overtraining

run_job(check_overtraining)
