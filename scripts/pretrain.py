"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.pretrain import pretrain

run_job(pretrain)
