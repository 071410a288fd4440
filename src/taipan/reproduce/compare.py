"""Comparing every number of two runs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError
from taipan.limits import refuse_size
from taipan.templates.store import read_histograms

TINY = 1e-9
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


def compare_results(
    published: Mapping[str, bytes], found: Mapping[str, bytes], tolerance: float
) -> tuple[int, list[Difference]]:
    """Compare the results of two runs, file by file and number by number.

    Times and provenance are left out.

    Parameters
    ----------
    published, found
        Name of a file (JSON, CSV, histograms, network) → its content.
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
    differences: list[Difference] = []
    compared = 0
    for where in dict.fromkeys((*left, *right)):
        one, two = left.get(where), right.get(where)
        compared += max(_count(one), _count(two))
        if isinstance(one, np.ndarray) and isinstance(two, np.ndarray) and one.shape == two.shape:
            differences += _array_differences(where, one, two, tolerance)
        elif isinstance(one, np.ndarray) or isinstance(two, np.ndarray):
            differences.append(Difference(where, _describe(one), _describe(two), math.inf))
        elif (relative := _relative(one, two)) > tolerance:
            differences.append(Difference(where, one, two, relative))
    return compared, differences


def _array_differences(
    where: str, one: NDArray[Any], two: NDArray[Any], tolerance: float
) -> list[Difference]:
    left, right = (np.asarray(item, np.float64) for item in (one, two))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        apart = np.abs(left - right)
        relative = apart / np.maximum(np.abs(left), np.abs(right))
    relative = np.where(np.isfinite(relative), relative, math.inf)
    same = (left == right) | (np.isnan(left) & np.isnan(right)) | (apart <= TINY)
    return [
        Difference(
            f"{where}[{', '.join(map(str, place))}]",
            _plain(one, place),
            _plain(two, place),
            float(relative[tuple(place)]),
        )
        for place in np.argwhere(~same & (relative > tolerance))
    ]


def _count(value: Any) -> int:
    return value.size if isinstance(value, np.ndarray) else 1


def _plain(values: NDArray[Any], place: NDArray[np.intp]) -> float | str:
    value = float(values[tuple(place)])
    return value if math.isfinite(value) else str(value)  # JSON has neither NaN nor infinities


def _describe(value: Any) -> Any:
    return f"array of shape {value.shape}" if isinstance(value, np.ndarray) else value


def _relative(one: Any, two: Any) -> float:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (one, two))
    if not numbers:
        return 0.0 if type(one) is type(two) and one == two else math.inf
    if one == two or (math.isnan(one) and math.isnan(two)) or abs(one - two) <= TINY:
        return 0.0
    relative = abs(one - two) / max(abs(one), abs(two))
    return relative if math.isfinite(relative) else math.inf


def _values(files: Mapping[str, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, content in files.items():
        read = _READERS.get(PurePosixPath(name).suffix)
        if read is None:
            raise TaipanError(f"{name} cannot be compared: not one of {', '.join(_READERS)}")
        try:
            values = read(name, content)
            found.update((f"{name}: {path}", value) for path, value in _leaves(values, ""))
        except (ValueError, RecursionError) as error:
            raise TaipanError(f"{name} cannot be compared: {error}") from error
    return found


def _read_json(name: str, content: bytes) -> Any:
    refuse_size(name, "JSON", len(content))
    return json.loads(content)


def _read_histograms(name: str, content: bytes) -> dict[str, Any]:
    return {
        title: {
            "axes": [{"name": axis.name, "edges": _edges(axis)} for axis in histogram.axes],
            "values": histogram.values(flow=True),
            "variances": histogram.variances(flow=True),
        }
        for title, histogram in read_histograms(name, content).items()
    }


def _edges(axis: Any) -> Any:
    is_category = isinstance(axis, hist.axis.StrCategory | hist.axis.IntCategory)
    return list(axis) if is_category else np.asarray(axis.edges)


def _read_network(name: str, content: bytes) -> dict[str, Any]:
    from taipan.nn.scorer import read_parameters  # onnx, which no other command needs

    parameters, graph = read_parameters(name, content)
    return {"graph": graph, **parameters}


def _read_csv(name: str, content: bytes) -> dict[str, dict[str, Any]]:
    rows = list(csv.DictReader(io.StringIO(content.decode())))
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


_READERS: dict[str, Callable[[str, bytes], Any]] = {
    ".json": _read_json,
    ".csv": _read_csv,
    ".zip": _read_histograms,
    ".onnx": _read_network,
}
