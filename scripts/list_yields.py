"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.list_yields import list_yields

run_job(list_yields)
