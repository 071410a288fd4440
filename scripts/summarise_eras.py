"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.summarise_eras import summarise_eras

run_job(summarise_eras)
