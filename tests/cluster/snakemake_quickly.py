"""Snakemake that looks at the queue every second; the plugin's pauses grow to three minutes."""

from __future__ import annotations

from typing import Any

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor


def _one_second(executor: Any) -> int:
    return 1


def _ignore(executor: Any, seconds: int) -> None:
    return


if __name__ == "__main__":
    Executor.next_seconds_between_status_checks = property(_one_second, _ignore)
    main()
