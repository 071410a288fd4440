"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.plot_tuning import plot_tuning

run_job(plot_tuning)
