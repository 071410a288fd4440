"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.measure_transfer_factor import measure_transfer_factor

run_job(measure_transfer_factor)
