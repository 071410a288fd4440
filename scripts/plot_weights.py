"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.plot_weights import plot_weights

run_job(plot_weights)
