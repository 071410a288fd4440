"""The corrections of the nominal in the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

CHANGES = ("correction", "region", "Σw before", "after", "ratio", "events outside")
"""Header of the table."""


def sum_corrections(record: Mapping[str, Any], fitted: Sequence[str]) -> dict[str, Any]:
    """Add up the simulation of each fitted region before and after each correction.

    Parameters
    ----------
    record
        Of the rule `list_corrections`.
    fitted
        Fitted regions.

    Returns
    -------
    dict
        Correction → region → `before`, `after`, and `outside`: events with a value outside its
        bins.
    """
    found: dict[str, Any] = {}
    for row in record["corrections"]:
        if row["region"] in fitted:
            of_region = found.setdefault(row["correction"], {}).setdefault(
                row["region"], {"before": 0.0, "after": 0.0, "outside": 0}
            )
            for key in of_region:
                of_region[key] += row[key]
    return found


def list_changes(corrections: Mapping[str, Any]) -> list[list[str]]:
    """Write the cells of a table: correction, region, yields and their ratio, events outside."""
    return [
        [
            f"`{name}`",
            region,
            f"{item['before']:.6g}",
            f"{item['after']:.6g}",
            f"{item['after'] / item['before']:.4f}" if item["before"] else "–",
            str(item["outside"]),
        ]
        for name, regions in corrections.items()
        for region, item in regions.items()
    ]
