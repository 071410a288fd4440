"""``taipan certify``: read the results of a run, write its certificate, say whether it is red."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json, write_text
from taipan.certify.files import judge_files
from taipan.certify.fitted import (
    judge_agreement,
    judge_closure,
    judge_coverage,
    judge_linearity,
    judge_robustness,
)
from taipan.certify.gates import judge_gates
from taipan.certify.ledger import judge_ledger
from taipan.certify.lines import Line, is_red, judge
from taipan.certify.trainings import judge_trainings
from taipan.clean_text import escape_markdown
from taipan.errors import TaipanError
from taipan.summary.collect import hash_result
from taipan.summary.layout import ABSENT, format_table
from taipan.summary.page import to_page

_NEEDED = ("analysis", "observable", "poi", "observed", "gates", "warnings", "provenance")
_MARKS = {"passed": "passed", "failed": "**FAILED**", "noted": "noted", "not measured": ABSENT}


def certify(results: Path, trainings: Sequence[Path] = ()) -> list[Line]:
    """Judge the results of a run by what they hold.

    Parameters
    ----------
    results
        Folder of the analysis in the results of a finished run.
    trainings
        Results with other seeds of the training.

    Raises
    ------
    TaipanError
        If the folder has no summary of a finished run; names the file.
    """
    summary = _read_summary(results)
    observable = summary["observable"]
    return [
        *judge_files(results),
        _judge_summary(summary),
        *judge_ledger(results, summary),
        *judge_gates(results, summary),
        *judge_coverage(results, observable),
        *judge_linearity(results, observable),
        *judge_agreement(summary),
        *judge_closure(results),
        *judge_robustness(results),
        *judge_trainings(summary, trainings),
    ]


def run_certify(results: Path, out: Path | None, trainings: Sequence[Path]) -> None:
    """Write ``certificate.json``, ``.md`` and ``.html``, and print the second.

    Parameters
    ----------
    results
        Folder of the analysis in the results.
    out
        Folder of the files; `results` by default.
    trainings
        Results with other seeds of the training.

    Raises
    ------
    TaipanError
        If the certificate is red; names the lines. The files are written before.
    """
    lines = certify(results, trainings)
    folder = results if out is None else out
    summary = read_json(results / "summary.json")
    text = write_certificate(summary, lines)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "certificate.json", describe_certificate(summary, lines))
    write_text(folder / "certificate.md", text)
    write_text(folder / "certificate.html", to_page(text, folder))
    print(text)
    if is_red(lines):
        failed = ", ".join(line.name for line in lines if line.verdict == "failed")
        raise TaipanError(f"{folder / 'certificate.md'}: red: {failed}")


def describe_certificate(summary: dict[str, Any], lines: Sequence[Line]) -> dict[str, Any]:
    """Give the content of ``certificate.json``."""
    return {
        "analysis": summary["analysis"],
        "result_sha256": summary["result_sha256"],
        "verdict": "red" if is_red(lines) else "green",
        "lines": [asdict(line) for line in lines],
    }


def write_certificate(summary: dict[str, Any], lines: Sequence[Line]) -> str:
    """Write the certificate as Markdown."""
    failed = [line for line in lines if line.verdict == "failed"]
    open_lines = [line for line in lines if line.verdict == "not measured"]
    count = f"{len(failed)} of {len(lines)} lines failed, {len(open_lines)} were not measured"
    rows = [
        [line.name, line.figure or ABSENT, line.bound or ABSENT, _MARKS[line.verdict], line.link]
        for line in lines
    ]
    reasons = [f"- {line.name}: {escape_markdown(line.reason)}" for line in lines if line.reason]
    return "\n".join(
        [
            f"# Certificate: {'red' if failed else 'green'}",
            "",
            f"{summary['analysis']}, result `{summary['result_sha256'][:16]}`: {count}.",
            "",
            format_table(["check", "figure", "bound", "verdict", "where"], rows),
            *(["", *reasons] if reasons else []),
            "",
        ]
    )


def _read_summary(results: Path) -> dict[str, Any]:
    path = results / "summary.json"
    if not path.is_file():
        raise TaipanError(f"{path} is missing: certify the folder of a finished run")
    summary = read_json(path)
    missing = [key for key in _NEEDED if not isinstance(summary, dict) or key not in summary]
    if missing:
        raise TaipanError(
            f"{path}: {missing[0]} is missing; of several data-taking periods, certify the folder "
            "of each"
        )
    return dict(summary)


def _judge_summary(summary: dict[str, Any]) -> Line:
    found = hash_result(summary)
    return judge(
        "the summary is whole",
        found[:16],
        "its result_sha256",
        passed=found == summary.get("result_sha256"),
        link="summary.json",
        reason=f"result_sha256 is {str(summary.get('result_sha256'))[:16]}: it was edited",
    )
