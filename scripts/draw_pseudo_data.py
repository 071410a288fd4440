"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.draw_pseudo_data import draw_pseudo_data

run_job(draw_pseudo_data)
