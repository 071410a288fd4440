"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.plot_interests import plot_interests

run_job(plot_interests)
