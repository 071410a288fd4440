"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.check_decorrelation import check_decorrelation

run_job(check_decorrelation)
