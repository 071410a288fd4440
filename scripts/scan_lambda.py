"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.scan_lambda import scan_lambda

run_job(scan_lambda)
