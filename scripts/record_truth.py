"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.record_truth import record_truth

run_job(record_truth)
