"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.histogram import histogram

run_job(histogram)
