"""Reading what the stages of a run left behind."""

from __future__ import annotations

import csv
import itertools
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from taipan.atomic import read_json
from taipan.errors import TaipanError

logger = logging.getLogger(__name__)

YieldTable = dict[str, dict[str, dict[str, float]]]

_YIELD_COLUMNS = ["region", "process", "yield", "stat"]


def read_yield_table(path: Path | str) -> YieldTable:
    """Read ``yields.csv``.

    Parameters
    ----------
    path
        CSV file with the columns region, process, yield and stat (in events).

    Returns
    -------
    dict
        Region → process → ``yield`` and ``stat``, in the order of the file.

    Raises
    ------
    TaipanError
        If the file cannot be read, has other columns, repeats a process or holds something that
        is not a finite number; names file and line.
    """
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            rows = list(csv.reader(handle))
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error
    if not rows or rows[0] != _YIELD_COLUMNS:
        raise TaipanError(
            f"{path}: columns are {rows[0] if rows else []}, they must be {_YIELD_COLUMNS}"
        )
    yields: YieldTable = {}
    for line, row in enumerate(rows[1:], start=2):
        try:
            region, process, *numbers = row
            value, stat = (float(number) for number in numbers)
        except ValueError:
            raise TaipanError(
                f"{path}, line {line}: {row} is not a region, a process and two numbers"
            ) from None
        if not (math.isfinite(value) and math.isfinite(stat)):
            raise TaipanError(f"{path}, line {line}: {row} holds a number that is not finite")
        if process in yields.get(region, {}):
            raise TaipanError(f"{path}, line {line}: {process} in {region} is listed twice")
        yields.setdefault(region, {})[process] = {"yield": value, "stat": stat}
    return yields


def read_gates(paths: Iterable[Path | str]) -> dict[str, dict[str, Any]]:
    """Read verdicts; a gate has the name of the folder that holds its verdict.

    That of one of several networks lies a folder deeper: ``check_overtraining/plain``.

    Raises
    ------
    TaipanError
        If a file cannot be read or lacks ``passed`` or ``action``; names it.
    """
    gates = {}
    for path in paths:
        verdict = read_json(path)
        for key in ("passed", "action"):
            if key not in verdict:
                raise TaipanError(f"{path}: key '{key}' is missing")
        gates[_name_gate(Path(path).parent.parts)] = verdict
    return gates


def _name_gate(folders: Sequence[str]) -> str:
    """Join the folders below the last one that is called ``gates``; without one, take the last."""
    below = list(itertools.takewhile(lambda name: name != "gates", reversed(folders)))
    return "/".join(reversed(below)) if len(below) < len(folders) else folders[-1]


def read_seconds(folder: Path | str) -> dict[str, float]:
    """Add up the wall-clock seconds of each rule's latest jobs.

    Parameters
    ----------
    folder
        Folder of Snakemake's benchmark files: ``<rule>.tsv``, or ``<rule>/<job>.tsv`` for a rule
        of several jobs. A repeated benchmark has a line a repeat, of which the mean counts.

    Returns
    -------
    dict
        Rule → seconds, rounded to 0.01 s, sorted by rule. Empty without the folder: a benchmark is
        a by-product, so one that is missing or damaged is logged and left out.
    """
    root = Path(folder)
    total: dict[str, float] = {}
    for path in sorted(root.rglob("*.tsv")):
        rule = path.relative_to(root).parts[0].removesuffix(".tsv")
        try:
            with path.open(encoding="utf-8", newline="") as handle:
                repeats = [float(row["s"]) for row in csv.DictReader(handle, delimiter="\t")]
            spent = sum(repeats) / len(repeats)
        except (OSError, KeyError, TypeError, ValueError, ZeroDivisionError):
            logger.warning("%s: no readable column 's'; left out", path)
            continue
        total[rule] = total.get(rule, 0.0) + spent
    return {rule: round(total[rule], 2) for rule in sorted(total)}
