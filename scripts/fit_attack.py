"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.fit_attack import fit_attack

run_job(fit_attack)
