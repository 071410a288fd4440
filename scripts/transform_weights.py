"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.transform_weights import transform_weights

run_job(transform_weights)
