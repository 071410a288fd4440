"""A pool of HTCondor with one slot, for tests: only its daemons are a stand-in.

The plugin of Snakemake and HTCondor's own bindings run as they are. The bindings read the submit
description and the log of events. This module takes the place of the scheduler: it refuses what
``condor_submit`` would refuse, runs the job without a shell in the bare environment of an execute
node, and writes the log of events.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# What the manual of condor_submit (version 24) knows, as far as a plain job may use it.
COMMANDS = {
    *("executable", "arguments", "environment", "getenv", "universe", "batch_name"),
    *("log", "output", "error", "input", "stream_output", "stream_error"),
    *("request_cpus", "request_memory", "request_disk", "request_gpus", "requirements", "rank"),
    *("allowed_execute_duration", "allowed_job_duration", "max_retries", "retry_until"),
    *("should_transfer_files", "when_to_transfer_output", "preserve_relative_paths"),
    *("accounting_group", "accounting_group_user", "periodic_remove", "notification"),
}
NUMBERS = {
    "request_cpus": r"[1-9]\d*",
    "request_memory": r"[1-9]\d*([KMGT]B?)?",
    "request_disk": r"[1-9]\d*([KMGT]B?)?",
    "allowed_execute_duration": r"[1-9]\d*",
    "getenv": r"(?i)true|false",
}
NEEDED = ("executable", "log", "output", "error", "request_cpus", "request_memory", "request_disk")
EVENTS = {
    "submitted": "000 ({job:03}.000.000) {now} Job submitted from host: <127.0.0.1:9618>",
    "executing": "001 ({job:03}.000.000) {now} Job executing on host: <127.0.0.1:9618>",
    "ended": "005 ({job:03}.000.000) {now} Job terminated.\n"
    "\t(1) Normal termination (return value {value})\n"
    "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Remote Usage\n"
    "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Run Local Usage\n"
    "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Total Remote Usage\n"
    "\t\tUsr 0 00:00:00, Sys 0 00:00:00  -  Total Local Usage\n"
    "\t0  -  Run Bytes Sent By Job\n\t0  -  Run Bytes Received By Job\n"
    "\t0  -  Total Bytes Sent By Job\n\t0  -  Total Bytes Received By Job",
    "held": "012 ({job:03}.000.000) {now} Job was held.\n"
    "\tmemory usage exceeded request_memory\n\tCode 34 Subcode 0",
}
"""Events as HTCondor writes them (classad attributes are read from this text by the bindings)."""


def find_errors(description: Mapping[str, str]) -> list[str]:
    """Return what ``condor_submit`` would refuse, or what would fail on an execute node."""
    errors = [f"'{key}' is missing" for key in NEEDED if not description.get(key)]
    for key, value in description.items():
        if key not in COMMANDS and not key.startswith(("MY.", "+")):
            errors.append(f"'{key}' is not a command of a submit description")
        elif key in NUMBERS and not re.fullmatch(NUMBERS[key], value):
            errors.append(f"{key} = {value} is not a number that HTCondor reads")
    if '"' in description.get("arguments", ""):
        errors.append("arguments have an unescaped double quote")
    if not os.access(description.get("executable", ""), os.X_OK):
        errors.append("executable cannot be executed")
    errors += [
        f"the folder of {key} is not there"
        for key in ("log", "output", "error")
        if not Path(description.get(key, "")).parent.is_dir()
    ]
    return errors


def read_environment(text: str) -> dict[str, str]:
    """Read the command ``environment`` in its older form: ``NAME=value;NAME=value``."""
    return dict(item.split("=", 1) for item in text.split(";") if item)


class Pool:
    """Scheduler and execute node.

    Parameters
    ----------
    folder
        Where descriptions are kept (``1.json``), and the scratch folders of jobs are.
    too_little
        A job of this name is held, once, as if it had used more memory than it asked for.
    """

    def __init__(self, folder: Path, too_little: str = "") -> None:
        self.folder = folder
        self.too_little = too_little
        self.slot = ThreadPoolExecutor(1)
        self.lock = threading.Lock()
        self.submitted = 0

    def submit(self, description: Mapping[str, str]) -> int:
        """Check a description, keep it, and put its job into the queue; its number.

        Raises
        ------
        ValueError
            If HTCondor would refuse it.
        """
        if errors := find_errors(description):
            raise ValueError("; ".join(errors))
        self.submitted += 1
        number = self.submitted
        content = {
            key: value.replace("$(ClusterId)", str(number)) for key, value in description.items()
        }
        path = self.folder / f"{number}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        self._write_event(content, "submitted", number)
        self.slot.submit(self._run, content, number)
        return number

    def _run(self, content: Mapping[str, str], number: int) -> None:
        name = content["batch_name"].rsplit("-", 1)[0]
        self._write_event(content, "executing", number)
        if name == self.too_little:
            self.too_little = ""
            self._write_event(content, "held", number)
            return
        scratch = self.folder / f"scratch{number}"
        scratch.mkdir()
        environment = {
            "_CONDOR_SCRATCH_DIR": str(scratch),
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch)),
            "OMP_NUM_THREADS": content["request_cpus"],
            "BATCH_SYSTEM": "HTCondor",
            **read_environment(content.get("environment", "")),
        }
        with Path(content["output"]).open("wb") as out, Path(content["error"]).open("wb") as err:
            done = subprocess.run(
                [content["executable"], *content["arguments"].split()],
                env=environment, stdout=out, stderr=err, check=False,
            )  # fmt: skip
        self._write_event(content, "ended", number, done.returncode)

    def _write_event(
        self, content: Mapping[str, str], event: str, number: int, value: int = 0
    ) -> None:
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        text = EVENTS[event].format(job=number, now=now, value=value)
        with self.lock, Path(content["log"]).open("a", encoding="utf-8") as log:
            log.write(f"{text}\n...\n")

    def remove(self) -> None:
        """Let no further job start."""
        with contextlib.suppress(RuntimeError):
            self.slot.shutdown(wait=False, cancel_futures=True)
