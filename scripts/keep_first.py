"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.keep_first import keep_first

run_job(keep_first)
