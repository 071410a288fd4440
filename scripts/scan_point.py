"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.scan_point import scan_point

run_job(scan_point)
