"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.plot_fit import plot_fit

run_job(plot_fit)
