"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.calibrate_intervals import calibrate_intervals

run_job(calibrate_intervals)
