"""Results in the unit of their parameter: a cross section in place of a factor on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def to_unit(numbers: Mapping[str, Any], size: float) -> dict[str, Any]:
    """Multiply what is a value or an uncertainty of the parameter of interest.

    Parameters
    ----------
    numbers
        ``mu_hat``, ``sigma``, ``interval``, ``limit``, ``impacts``, the two
        breakdowns, and others that stay as they are.
    size
        What a factor of 1 on the yields is in the unit, such as the predicted cross section.
    """
    if size == 1.0:
        return dict(numbers)
    limit = numbers["limit"]
    return {
        **numbers,
        "mu_hat": size * numbers["mu_hat"],
        "sigma": size * numbers["sigma"],
        "interval": _scale(numbers["interval"], size),
        "limit": {
            **limit,
            "observed": size * limit["observed"],
            "expected": size * limit["expected"],
            "expected_band": _scale(limit["expected_band"], size),
        },
        "impacts": [
            {**item, **{key: _scale(item[key], size) for key in ("prefit", "postfit")}}
            for item in numbers["impacts"]
        ],
        **{
            key: {name: size * part for name, part in numbers[key].items()}
            for key in ("breakdown", "breakdown_of_variance")
        },
    }


def parameters_to_unit(
    rows: Sequence[Mapping[str, Any]], sizes: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Multiply the values of those parameters that have a unit."""
    keys = ("value", "sigma", "initial")
    return [
        {**row, **{key: sizes[row["name"]] * row[key] for key in keys}}
        if row["name"] in sizes
        else dict(row)
        for row in rows
    ]


def scan_to_unit(found: Mapping[str, Any], size: float) -> dict[str, Any]:
    """Multiply the axis of a scan of one parameter."""
    axis = [size * value for value in found["axes"][0]]
    return {**found, "axes": [axis], "best": [size * found["best"][0]]}


def contours_to_unit(contours: Mapping[str, Any], sizes: Mapping[str, float]) -> dict[str, Any]:
    """Multiply the points of the contours of two parameters."""
    pair = [sizes.get(name, 1.0) for name in contours["parameters"]]

    def point(values: Sequence[float]) -> list[float]:
        return [size * value for size, value in zip(pair, values, strict=True)]

    return {
        **contours,
        "best": point(contours["best"]),
        "contours": [
            {**item, "points": [point(values) for values in item["points"]]}
            for item in contours["contours"]
        ],
    }


def _scale(values: Sequence[float | None] | None, size: float) -> list[float | None] | None:
    if values is None:
        return None
    return [None if value is None else size * value for value in values]
