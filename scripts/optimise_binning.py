"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.optimise_binning import optimise_binning

run_job(optimise_binning)
