"""Logger of Snakemake that ``./run`` uses: a line for each job, and why a job failed.

Snakemake finds it by the name of this package: ``snakemake --logger taipan``. What is said is
decided in :mod:`taipan.progress`. Snakemake's own log, with everything, stays in
``.snakemake/log``.
"""

from __future__ import annotations

import sys
import time
from logging import WARNING, LogRecord
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from taipan.clean_text import clean
from taipan.progress import Job, RunProgress

__all__ = ["LogHandler"]

_NOTHING = "Nothing to be done"


class LogHandler(LogHandlerBase):
    """Writes the lines of :class:`taipan.progress.RunProgress` to standard error."""

    def __post_init__(self) -> None:
        """Begin without jobs."""
        self._progress = RunProgress()
        self._failed: set[int] = set()

    @property
    def writes_to_stream(self) -> bool:
        """It takes the place of Snakemake's lines."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """It writes no file."""
        return False

    @property
    def has_filter(self) -> bool:
        """It looks at every record."""
        return True

    @property
    def has_formatter(self) -> bool:
        """It writes its own lines."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It draws nothing."""
        return False

    def emit(self, record: LogRecord) -> None:
        """Write the lines of a record, if it has some."""
        try:
            for line in self._lines(record):
                print(line, file=sys.stderr, flush=True)
        except BrokenPipeError:
            pass  # of a reader that has gone; the run goes on
        except (OSError, LookupError):
            self.handleError(record)  # of a terminal that has gone, or another Snakemake

    def _lines(self, record: LogRecord) -> list[str]:
        event, known, now = getattr(record, "event", None), vars(record), time.monotonic()
        if event == LogEvent.RUN_INFO:
            return self._progress.plan(known["stats"], now)
        if event == LogEvent.JOB_INFO:
            self._start(known, now)
        elif event == LogEvent.JOB_FINISHED:
            return self._progress.finish(known["job_id"], now)
        elif event == LogEvent.JOB_ERROR and known["jobid"] not in self._failed:
            self._failed.add(known["jobid"])
            message = str(known.get("rule_msg") or "")
            return self._progress.fail(known["rule_name"], [*known["log"]], now, message)
        elif event == LogEvent.GROUP_ERROR:
            return self._fail_group(known)
        elif event == LogEvent.ERROR or (event is None and record.levelno >= WARNING):
            return [clean(record.getMessage())]
        elif event is None and record.getMessage().startswith(_NOTHING):
            return ["Nothing to be done: all results are there and up to date."]
        return []

    def _fail_group(self, known: dict[str, Any]) -> list[str]:
        """Tell of a group once: Snakemake goes on to report each of its jobs as failed."""
        jobs = [*known["job_error_info"]]
        numbers = {job["jobid"] for job in jobs}
        if numbers <= self._failed:
            return []
        self._failed |= numbers
        members = [(job["rule_name"], [*job["log"]]) for job in jobs]
        return self._progress.fail_group(str(known["groupid"]), members, [*known["aux_logs"]])

    def _start(self, known: dict[str, Any], now: float) -> None:
        self._failed.discard(known["jobid"])  # tried again
        label = " ".join(str(value) for value in (known.get("wildcards") or {}).values())
        benchmark = known.get("benchmark")
        if isinstance(benchmark, list | tuple):
            benchmark = benchmark[0] if benchmark else None
        job = Job(known["rule_name"], label, benchmark and str(benchmark), now)
        self._progress.start(known["jobid"], job)
