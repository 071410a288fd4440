"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.plot_cutflow import plot_cutflow

run_job(plot_cutflow)
