"""Comparing every number of two runs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from taipan.errors import TaipanError

SMALLEST = 1e-9
"""Absolute difference that never counts: rounding of numbers that are zero."""
_NOT_RESULTS = frozenset(("seconds", "provenance", "result_sha256"))


@dataclass(frozen=True)
class Difference:
    """A value that is not the same.

    Attributes
    ----------
    where
        File and key path.
    published, found
        The two values; None where there is none.
    relative
        Relative difference of two numbers, infinite for anything else.
    """

    where: str
    published: Any
    found: Any
    relative: float


def compare(
    published: Mapping[str, str], found: Mapping[str, str], tolerance: float
) -> tuple[int, list[Difference]]:
    """Compare the results of two runs, file by file and number by number.

    Times and provenance are left out.

    Parameters
    ----------
    published, found
        Name of a file (JSON or CSV) → its text.
    tolerance
        Largest relative difference of two numbers that counts as equal.

    Returns
    -------
    compared, differences
        Number of values compared, and those that differ.

    Raises
    ------
    TaipanError
        If a file cannot be read.
    """
    left, right = _values(published), _values(found)
    differences = []
    for where in dict.fromkeys((*left, *right)):
        one, two = left.get(where), right.get(where)
        relative = _relative(one, two)
        if relative > tolerance:
            differences.append(Difference(where, one, two, relative))
    return len({*left, *right}), differences


def _relative(one: Any, two: Any) -> float:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (one, two))
    if not numbers:
        return 0.0 if type(one) is type(two) and one == two else math.inf
    if one == two or (math.isnan(one) and math.isnan(two)) or abs(one - two) <= SMALLEST:
        return 0.0
    relative = abs(one - two) / max(abs(one), abs(two))
    return relative if math.isfinite(relative) else math.inf


def _values(files: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in files.items():
        try:
            content = _read_csv(text) if name.endswith(".csv") else json.loads(text)
            found.update((f"{name}: {path}", value) for path, value in _leaves(content, ""))
        except (ValueError, RecursionError) as error:
            raise TaipanError(f"{name} cannot be compared: {error}") from error
    return found


def _read_csv(text: str) -> dict[str, dict[str, Any]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    words = [key for key in (rows[0] if rows else {}) if any(not _is_number(r[key]) for r in rows)]
    return {
        " ".join(str(row[key]) for key in words): {
            key: float(value) for key, value in row.items() if key not in words
        }
        for row in rows
    }


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True


def _leaves(content: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for key, value in content.items():
            if key not in _NOT_RESULTS:
                yield from _leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _leaves(value, f"{path}[{index}]")
    else:
        yield path, content
