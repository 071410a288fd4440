"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.summarise_coverage import summarise_coverage

run_job(summarise_coverage)
