"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.select_inputs import select_inputs

run_job(select_inputs)
