"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.plot_systematics import plot_systematics

run_job(plot_systematics)
