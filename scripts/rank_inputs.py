"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.rank_inputs import rank_inputs

run_job(rank_inputs)
