"""Dry runs on results that cannot be written.

Snakemake takes a file that it may not write for one that is protected, and refuses to plan a job
that would make it again, also in a dry run, which writes nothing. No rule here protects its files.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any


def plan_without_writing(refuse: Callable[[], None]) -> None:
    """Let a dry run, of Snakemake in this process, plan whatever it may not write.

    Parameters
    ----------
    refuse
        Called before a job that is not of a dry run is planned; raises if results cannot be
        written.
    """
    job: Any = import_module("snakemake.jobs").Job
    known = job.check_protected_output
    original = getattr(known, "__wrapped__", known)

    @functools.wraps(original)
    async def check_protected_output(self: Any) -> None:
        if self.rule.workflow.dryrun:
            return
        refuse()
        await original(self)

    job.check_protected_output = check_protected_output
