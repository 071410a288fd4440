"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.combine_eras import combine_eras

run_job(combine_eras)
