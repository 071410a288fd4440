"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.rank_groups import rank_groups

run_job(rank_groups)
