"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.plot_contours import plot_contours

run_job(plot_contours)
