"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.explain import explain

run_job(explain)
