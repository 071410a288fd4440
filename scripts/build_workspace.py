"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.build_workspace import build_workspace

run_job(build_workspace)
