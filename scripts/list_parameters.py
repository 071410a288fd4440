"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.list_parameters import list_parameters

run_job(list_parameters)
