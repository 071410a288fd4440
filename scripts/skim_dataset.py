"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.skim_dataset import skim_dataset

run_job(skim_dataset)
