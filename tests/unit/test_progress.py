"""What a run says: a line for each job, why one failed, and what was found."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_taipan import LogHandler
from taipan.cli.main import main
from taipan.commands.datasets import compare_file, write_size
from taipan.commands.show import shorten
from taipan.datasets import Dataset
from taipan.progress import Job, RunProgress, last_lines, write_duration
from taipan.scripting import QUIET, configure_logging


def test_a_job_is_a_line_with_progress_memory_and_time_left(tmp_path: Path) -> None:
    """Work: 4 skims of 2 and a training of 100. After 3 skims 102 of 108 are left."""
    benchmark = tmp_path / "skim.tsv"
    benchmark.write_text("s\tmax_pss\n5.0\t1234.5\n6.0\t900\n")
    progress = RunProgress()
    assert progress.plan({"skim": 4, "train": 1, "all": 1, "total": 6}, now=100.0) == ["5 jobs"]
    for number in range(3):
        progress.start(number, Job("skim", f"TT {number}", str(benchmark), 100.0))
    assert progress.finish(0, 104.0) == ["[1/5] skim TT 0 (4 s, 1.2 GB)"]
    assert progress.finish(1, 106.0) == ["[2/5] skim TT 1 (6 s, 1.2 GB)"]
    assert progress.finish(2, 112.0) == ["[3/5] skim TT 2 (12 s, 1.2 GB), about 3 min left"]
    progress.start(9, Job("train", "", None, 112.0))
    assert progress.finish(9, 312.0) == ["[4/5] train (200 s), about 10 s left"]
    assert progress.finish(77, 312.0) == []


@pytest.mark.parametrize(
    ("seconds", "written"), [(3, "10 s"), (64, "60 s"), (100, "2 min"), (9000, "2.5 h")]
)
def test_durations_are_written_as_people_say_them(seconds: float, written: str) -> None:
    assert write_duration(seconds) == written


def test_last_words_of_a_job_are_harmless(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("".join(f"line {i}\n" for i in range(40)) + "bad \x1b[2J https://me:pw@host/\n")
    assert last_lines(log, 2) == ["line 39", "bad \\x1b[2J https://***@host/"]
    assert last_lines(tmp_path / "none.log") == ["(cannot be read: No such file or directory)"]


def record(event: Any, message: str = "", level: int = logging.INFO, **known: Any) -> Any:
    found = logging.LogRecord("snakemake", level, __file__, 1, message, None, None)
    vars(found).update(known, event=event)
    return found


def test_logger_of_snakemake_says_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "fit.log"
    log.write_text("reading\nfit: error: no minimum\n")
    handler = LogHandler(SimpleNamespace(), None)
    handler.emit(record(None, "Building DAG of jobs..."))
    handler.emit(record(LogEvent.RUN_INFO, stats={"fit": 2, "total": 2}))
    job = {"rule_name": "fit", "wildcards": {"observable": "m"}, "benchmark": None}
    handler.emit(record(LogEvent.JOB_INFO, jobid=3, **job))
    handler.emit(record(LogEvent.JOB_FINISHED, job_id=3))
    failure = {"rule_name": "fit", "log": [str(log)], "rule_msg": None, "jobid": 4}
    for _ in range(2):  # it is told again at the end
        handler.emit(record(LogEvent.JOB_ERROR, level=logging.ERROR, **failure))
    handler.emit(record(None, "Nothing to be done (all requested files are present)."))
    handler.emit(record(None, "cannot lock", logging.ERROR))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "2 jobs",
        "[1/2] fit m (0 s), about 10 s left",
        "FAILED: fit",
        f"  last lines of {log}:",
        "    reading",
        "    fit: error: no minimum",
        "Nothing to be done: all results are there and up to date.",
        "cannot lock",
    ]


def test_a_failed_group_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Snakemake reports the group, then each job in it, and all of them again at the end."""
    log = tmp_path / "slurm.log"
    log.write_text("Activating\nscan: error: out of memory\n")
    handler = LogHandler(SimpleNamespace(), None)
    jobs = [
        {"rule_name": rule, "jobid": number, "log": [f"logs/{rule}.log"]}
        for number, rule in enumerate(("fit", "scan"))
    ]
    failure = {"groupid": "inference", "aux_logs": [str(log)], "job_error_info": jobs}
    for _ in range(2):
        handler.emit(record(LogEvent.GROUP_ERROR, level=logging.ERROR, **failure))
        for job in jobs:
            handler.emit(record(LogEvent.JOB_ERROR, level=logging.ERROR, rule_msg=None, **job))
    told = [
        "FAILED: one of the group inference (fit, scan)",
        "  log of fit: logs/fit.log",
        "  log of scan: logs/scan.log",
        f"  last lines of {log}:",
        "    Activating",
        "    scan: error: out of memory",
    ]
    assert capsys.readouterr().err.splitlines() == told
    for job in jobs:  # tried again
        handler.emit(record(LogEvent.JOB_INFO, wildcards=None, benchmark=None, **job))
    handler.emit(record(LogEvent.GROUP_ERROR, level=logging.ERROR, **failure))
    assert capsys.readouterr().err.splitlines() == told


def test_a_quiet_job_keeps_its_lines_in_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors are seen all the same: the disk of the log may be full."""
    logger = logging.getLogger("taipan")
    before = (logger.handlers, logger.level, logger.propagate)
    monkeypatch.setenv(QUIET, "1")
    log = tmp_path / "logs/job.log"
    try:
        configure_logging(str(log))
        logger.info("a fact")
        logger.error("an error")
        for handler in logger.handlers:
            handler.close()
    finally:
        logger.handlers, logger.level, logger.propagate = before
    assert [line[9:] for line in log.read_text().splitlines()] == [
        "taipan: a fact",
        "taipan: an error",
    ]
    assert [line[9:] for line in capsys.readouterr().err.splitlines()] == ["taipan: an error"]


JOB = """
import os, sys
from taipan.scripting import configure_logging, logger
snakemake = object()  # what makes this the process of a job
configure_logging(sys.argv[1])
logger.info("a fact")
os.write(2, b"chatter of a library\\n")
logger.error("an error")
"""


@pytest.mark.parametrize("quiet", ["1", ""])
def test_chatter_of_libraries_goes_to_the_log_of_a_quiet_job(tmp_path: Path, quiet: str) -> None:
    log = tmp_path / "job.log"
    done = subprocess.run(
        [sys.executable, "-c", JOB, str(log)],
        env={**os.environ, QUIET: quiet}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    shown = [line.split(": ")[-1] for line in done.stderr.splitlines()]
    kept = [line.split(": ")[-1] for line in log.read_text().splitlines()]
    if quiet:
        assert shown == ["an error"]
        assert kept == ["a fact", "chatter of a library", "an error"]
    else:
        assert shown == ["a fact", "chatter of a library", "an error"]
        assert kept == ["a fact", "an error"]


def test_show_names_the_runs_that_are_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever made the demo alone learns its name from an example for the default run."""
    for name in ("demo", "mine", "stopped"):
        (tmp_path / name).mkdir()
    for name in ("demo", "mine"):
        (tmp_path / name / "summary.md").touch()
    assert main(["show", str(tmp_path / "htautau")]) == 1
    message = capsys.readouterr().err
    assert message.rstrip().endswith(f"; finished are: {tmp_path}/demo, {tmp_path}/mine")


SUMMARY = (
    "# Title\n\nWhat was measured: 1\n\nAnalysis `a` on `b`\n\n## Table\n\n| a |\n| - |\n| x |\n"
    "| y (reference) |\n\n| b |\n\n## Time\n\nlong\n"
)


def test_show_says_what_was_found_and_where_the_report_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shorten(SUMMARY) == "# Title\nWhat was measured: 1\n| a |\n| - |\n| x |"
    assert main(["show", str(tmp_path)]) == 1
    assert "no finished run (summary.md is missing); make one" in capsys.readouterr().err
    (tmp_path / "summary.md").write_text(SUMMARY)
    (tmp_path / "report.html").write_text("")
    assert main(["show", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{shorten(SUMMARY)}\nReport: {tmp_path}/report.html\n"
    assert main(["show", str(tmp_path), "--all"]) == 0
    assert "long" in capsys.readouterr().out


def test_run_needs_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "-n"]) == 1
    assert "not a folder of Taipan (no file 'run')" in capsys.readouterr().err


def test_datasets_that_are_here_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    path.write_bytes(b"12345")
    item = Dataset.model_construct(sizes={"a.root": 5}, sha256={"a.root": "0" * 64})
    assert compare_file(path, "a.root", item) == [
        f"{path}: SHA-256 differs from that of the catalogue"
    ]
    item = Dataset.model_construct(sizes={"a.root": 6}, sha256={})
    assert compare_file(path, "a.root", item) == [f"{path}: 5 bytes, the catalogue says 6"]
    assert [write_size(size) for size in (5, 6.9e9, 2.5e12)] == ["5 B", "6.9 GB", "2.5 TB"]
