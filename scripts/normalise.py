"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.normalise import normalise

run_job(normalise)
