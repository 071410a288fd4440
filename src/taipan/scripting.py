"""Running the function of a rule: log file, short errors."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from taipan.analysis_folder import explain_own_error
from taipan.checksums import files_read, forget_files, identify_file, record_files, verify_files
from taipan.clean_text import clean
from taipan.errors import TaipanError, explain_system_error
from taipan.provenance import hash_content, package_versions

logger = logging.getLogger("taipan")
QUIET = "TAIPAN_QUIET"
"""Variable of the environment by which ``./run`` keeps the lines of jobs in their log files."""


class _CleanFormatter(logging.Formatter):
    """Writes no password of a URL and no control character, whoever made the message."""

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record))


class _LogFile(logging.FileHandler):
    """A log file; one that cannot be written, on a full disk, is said once and in one line."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name of logging)
        """Say that lines are lost; what stands on standard error is not."""
        if not self._told:
            self._told = True
            print(f"{self.baseFilename}: cannot be written: {sys.exc_info()[1]}", file=sys.stderr)

    def close(self) -> None:
        """Close the file, whatever is left to be written."""
        with contextlib.suppress(OSError):
            super().close()


def configure_logging(log: str | None = None) -> None:
    """Send the package's log lines to standard error and, if given, to the file `log`.

    With a file, and `TAIPAN_QUIET` in the environment, standard error gets errors alone; what
    libraries write there goes to the file, too, if this is the process of a job.

    Raises
    ------
    TaipanError
        If the file cannot be made.
    """
    quiet = bool(log and os.environ.get(QUIET))
    own = quiet and hasattr(sys.modules["__main__"], "snakemake")
    seen = os.fdopen(os.dup(2), "w", encoding="utf-8") if own else None
    handlers: list[logging.Handler] = [logging.StreamHandler(seen)]
    if quiet:
        handlers[0].setLevel(logging.ERROR)
    if log:
        try:
            os.makedirs(os.path.dirname(log) or ".", exist_ok=True)
            file = _LogFile(log, mode="w", encoding="utf-8")
        except OSError as error:
            raise TaipanError(f"cannot write {log}: {error.strerror}") from error
        handlers.append(file)
        if (
            own and file.stream is not None
        ):  # TensorFlow writes there before anything can ask it not to
            os.dup2(file.stream.fileno(), 2)
    formatter = _CleanFormatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S")
    for handler in handlers:
        handler.setFormatter(formatter)
    logger.handlers = handlers
    logger.setLevel(logging.INFO)
    logger.propagate = False


def run_call(name: str, call: Callable[[], Any], log: str | None = None) -> None:
    """Call a function as the body of a rule; `name` is what its messages start with.

    A :class:`~taipan.errors.TaipanError`, what the system refuses (a full disk, no permission, no
    memory) or what goes wrong in the files of an analysis becomes one line in the log and on
    standard error and exit status 1; anything else keeps its traceback, because it is a bug.

    Within Snakemake the job's inputs are compared with the checksums recorded when they were made,
    and its outputs are recorded with their provenance.
    """
    try:
        configure_logging(log)
    except TaipanError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        sys.exit(1)
    start = time.perf_counter()
    job = getattr(sys.modules["__main__"], "snakemake", None)
    try:
        if job is not None:
            # before the job runs, for the next run compares them with what it would be given then
            origin = _describe_job(job, _identify_inputs(job))
            forget_files(job.output)
        call()
        if job is not None:
            record_files(job.output, origin)
    except TaipanError as error:
        logger.error("%s: error: %s", name, error)
        sys.exit(1)
    except Exception as error:
        explained = explain_system_error(error) or explain_own_error(error)
        if explained is None:
            logger.exception("%s: unexpected error", name)
            raise
        logger.error("%s: error: %s", name, explained)
        sys.exit(1)
    logger.info("%s: done in %.1f s", name, time.perf_counter() - start)


def _identify_inputs(job: Any) -> dict[str, str]:
    """Path → digest of what a job reads; the files of the workflow are compared with their records.

    They are read before the job runs: a file that changes meanwhile is not what is recorded, so the
    next run makes the outputs again.
    """
    verified = verify_files(job.input)
    paths = files_read(job.input)
    return {path: verified.get(path) or identify_file(path) for path in paths}


def _describe_job(job: Any, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Provenance of the outputs of a job; free of dates, so that equal runs give equal records."""
    parameters = dict(job.params.items())
    return {
        "rule": job.rule,
        "wildcards": dict(job.wildcards.items()),
        "parameters": hash_content(parameters),
        "code": parameters.get("code"),
        "seed": parameters.get("seed"),
        "inputs": dict(inputs),
        "packages": package_versions(),
    }
