"""What a run says while it runs: a line for each job, with progress, time left and memory."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taipan.clean_text import clean

SHOWN_LINES = 15
"""Last lines of the log of a job that failed."""
_COSTS = {
    "train": 100.0, "pretrain": 100.0, "scan_point": 100.0, "tune": 50.0, "fit": 24.0,
    "rank_inputs": 16.0, "plot_control": 10.0, "check_decorrelation": 9.0, "check_weights": 6.0,
    "plot_systematics": 5.0, "plot_fit": 5.0, "check_overtraining": 4.0, "simulate": 3.0,
    "measure_shapes": 3.0, "measure_transfer_factor": 3.0, "plot_weights": 3.0,
}  # fmt: skip
"""Rule → seconds of a job of the default run on two cores; they only weigh what is left."""
_COST = 2.0
_LEAST_SHARE = 0.05  # of the work, before which no time is foretold


@dataclass(frozen=True)
class Job:
    """A job that was started.

    Attributes
    ----------
    rule
        Its rule.
    label
        Values of its wildcards.
    benchmark
        File with its time and memory; None if there is none.
    start
        Seconds on the clock.
    """

    rule: str
    label: str
    benchmark: str | None
    start: float


@dataclass
class RunProgress:
    """Turns what happens in a run into lines.

    Attributes
    ----------
    left
        Rule → jobs that are not finished.
    """

    left: dict[str, int] = field(default_factory=dict)
    _jobs: dict[int, Job] = field(default_factory=dict)
    _total: int = 0
    _work: float = 0.0
    _begin: float | None = None

    def plan(self, counts: Mapping[str, int], now: float) -> list[str]:
        """Learn how many jobs there are.

        Parameters
        ----------
        counts
            Rule → jobs; `all` and `total` do not count.
        now
            Seconds on the clock.
        """
        self.left = {rule: n for rule, n in counts.items() if rule not in ("all", "total")}
        self._total = sum(self.left.values())
        self._work = self._remaining()
        self._begin = now
        return [f"{self._total} jobs"] if self._total else []

    def start(self, number: int, job: Job) -> None:
        """Remember a job that was started."""
        self._jobs[number] = job

    def finish(self, number: int, now: float) -> list[str]:
        """Give the line of a job that has finished."""
        job = self._jobs.pop(number, None)
        if job is None or job.rule not in self.left:
            return []
        self.left[job.rule] -= 1
        done = self._total - sum(self.left.values())
        took = f"{now - job.start:.0f} s{_memory(job.benchmark)}"
        name = clean(f"{job.rule} {job.label}".rstrip())
        width = len(str(self._total))
        return [f"[{done:{width}}/{self._total}] {name} ({took}){self._time_left(now)}"]

    def fail(self, rule: str, logs: Sequence[str], now: float, message: str = "") -> list[str]:
        """Give the lines of a job that failed: its last words, and where all of them are."""
        lines = [f"FAILED: {clean(rule)}"]
        if message:
            lines.append(f"  {clean(message)}")
        return [*lines, *_quote_logs(logs)]

    def fail_group(
        self, group: str, members: Sequence[tuple[str, Sequence[str]]], logs: Sequence[str]
    ) -> list[str]:
        """Give the lines of jobs that a cluster ran as one, of which one failed.

        Which of them failed is not known; the log of the group says it.

        Parameters
        ----------
        group
            Its name.
        members
            Rule and logs of each job.
        logs
            Logs that the cluster has written of all.
        """
        rules = ", ".join(clean(rule) for rule, _ in members)
        lines = [f"FAILED: one of the group {clean(group)} ({rules})"]
        lines += [f"  log of {clean(rule)}: {clean(log)}" for rule, own in members for log in own]
        return [*lines, *_quote_logs(logs)]

    def _remaining(self) -> float:
        return sum(n * _COSTS.get(rule, _COST) for rule, n in self.left.items())

    def _time_left(self, now: float) -> str:
        remaining = self._remaining()
        done = self._work - remaining
        if not remaining or self._begin is None or done < _LEAST_SHARE * self._work:
            return ""
        return f", about {write_duration((now - self._begin) * remaining / done)} left"


def write_duration(seconds: float) -> str:
    """Write a time as people say it: 40 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def last_lines(path: Path | str, count: int = SHOWN_LINES) -> list[str]:
    """Give the last lines of a log, made harmless; a line that says so if there are none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = [clean(line.rstrip()) for line in deque(file, maxlen=count)]
    except OSError as error:
        return [f"(cannot be read: {error.strerror})"]
    return found or ["(empty)"]


def _quote_logs(paths: Sequence[str]) -> list[str]:
    """Give the last lines of logs, each with its path."""
    lines: list[str] = []
    for path in paths:
        lines += [f"  last lines of {clean(path)}:", *(f"    {x}" for x in last_lines(path))]
    return lines


def _memory(benchmark: str | None) -> str:
    """Write the largest memory of a job, from Snakemake's benchmark file.

    What several processes of a job share counts once (`max_pss`).
    """
    try:
        with open(benchmark or "", encoding="utf-8", newline="") as file:
            size = max(float(row["max_pss"]) for row in csv.DictReader(file, delimiter="\t"))
    except (OSError, KeyError, TypeError, ValueError):
        return ""
    return f", {size / 1000:.1f} GB" if size >= 100 else ""
