"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.list_corrections import list_corrections

run_job(list_corrections)
