"""Snakemake's way into the stage of this name."""

from taipan.jobs.run import run_job
from taipan.stages.plot_spectra import plot_spectra

run_job(plot_spectra)
