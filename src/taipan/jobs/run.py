"""A stage as the body of a rule."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from taipan.jobs.bind import STYLE, bind_job
from taipan.own_style import own_style
from taipan.scripting import run_call


def run_job(stage: Callable[..., Any]) -> None:
    """Hand Snakemake's job to a stage: the whole of a script.

    Log, checksums, provenance and short errors are those of
    :func:`~taipan.scripting.run_call`.
    """
    job = getattr(sys.modules["__main__"], "snakemake", None)
    if job is None:
        sys.exit(
            f"{stage.__name__}: error: this file is for Snakemake; "
            f"by hand: python -m {stage.__module__} --help"
        )

    def run() -> None:
        with own_style(dict(job.params.items()).get(STYLE)):
            stage(**bind_job(stage, job))

    run_call(stage.__name__, run, log=job.log[0])
