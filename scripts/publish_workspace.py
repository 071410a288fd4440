"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.publish_workspace import publish_workspace

run_job(publish_workspace)
