"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.detect_attacks import detect_attacks

run_job(detect_attacks)
