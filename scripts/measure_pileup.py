"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.measure_pileup import measure_pileup

run_job(measure_pileup)
