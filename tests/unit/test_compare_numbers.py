"""The comparison of two runs, on files of a few numbers."""

from __future__ import annotations

import json
import math
from typing import Any

import hist
import numpy as np
import pytest

from taipan.reproduce.compare import compare_results
from taipan.templates.store import write_histograms

TOLERANCE = 1e-3


def differences(one: Any, two: Any) -> list[tuple[str, float]]:
    files = ({"a.json": json.dumps(content).encode()} for content in (one, two))
    _, found = compare_results(*files, TOLERANCE)
    return [(item.where, item.relative) for item in found]


@pytest.mark.parametrize(
    ("one", "two", "relative"),
    [
        (100.0, 100.09, None),
        (100.0, 100.11, 0.11 / 100.11),  # of the larger of the two
        (100.11, 100.0, 0.11 / 100.11),
        (-100.0, -100.2, 0.2 / 100.2),
        (100.0, -100.0, 2.0),
        (0.0, 0.9e-9, None),
        (0.0, 1.0e-9, None),
        (0.0, 1.0e-8, 1.0),
        (1, True, math.inf),
        (math.inf, math.inf, None),
        (math.inf, -math.inf, math.inf),
        (math.nan, math.nan, None),
        (math.nan, 1.0, math.inf),
        (1, 1.0, None),
        ("up", "down", math.inf),
        ("up", "up", None),
        (None, 0.0, math.inf),
    ],
)
def test_numbers_are_equal_within_the_tolerance_and_nothing_else_is(
    one: Any, two: Any, relative: float | None
) -> None:
    expected = [] if relative is None else [("a.json: key", pytest.approx(relative))]
    assert differences({"key": one}, {"key": two}) == expected


def histogram(values: list[float]) -> hist.Hist:
    found = hist.Hist(hist.axis.Regular(len(values) - 2, 0, 1), storage=hist.storage.Weight())
    found.view(flow=True)["value"] = values
    found.view(flow=True)["variance"] = 1.0
    return found


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([1.0, 2.0, 4.0, 8.0], []),
        ([1.0009, 2.0, 4.0, 8.0], []),
        ([1.0011, 2.0, 4.0, 8.008], ["0"]),  # the last by less than 10⁻³
        ([1.0, 2.0, 4.01, 8.02], ["2", "3"]),
        ([1.0, 2.0, math.nan, 8.0], ["2"]),
        ([1.0, 2.0, 4.0], ["shape"]),
    ],
)
def test_arrays_are_compared_number_by_number(
    values: list[float], places: list[str], tmp_path: Any
) -> None:
    files = []
    for i, content in enumerate(([1.0, 2.0, 4.0, 8.0], values)):
        write_histograms(tmp_path / f"{i}.zip", {"h": histogram(content)})
        files.append({"t.zip": (tmp_path / f"{i}.zip").read_bytes()})
    _, found = compare_results(*files, TOLERANCE)
    where = [item.where for item in found if "values" in item.where]
    if places == ["shape"]:
        assert where == ["t.zip: h.values"]
    else:
        assert where == [f"t.zip: h.values[{place}]" for place in places]


def test_number_that_is_missing_in_both_is_equal(tmp_path: Any) -> None:
    for name in ("a", "b"):
        write_histograms(tmp_path / f"{name}.zip", {"h": histogram([1.0, np.nan, 2.0])})
    files = [{"t.zip": (tmp_path / f"{name}.zip").read_bytes()} for name in ("a", "b")]
    assert compare_results(*files, TOLERANCE)[1] == []
