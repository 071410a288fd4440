"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.measure_shapes import measure_shapes

run_job(measure_shapes)
