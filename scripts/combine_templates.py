"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.combine_templates import combine_templates

run_job(combine_templates)
