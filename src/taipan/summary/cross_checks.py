"""The table of estimates that are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def tabulate_cross_checks(
    compared: Mapping[str, Any],
    measurement: Callable[[float, float], str],
    table: Callable[[Sequence[str], Sequence[Sequence[str]]], str],
) -> str:
    """Write the totals of the estimates in each region, and how they differ.

    Parameters
    ----------
    compared
        File of the rule ``compare_estimates``.
    measurement, table
        Write a value with its uncertainty, and a table.
    """
    rows = []
    for region, item in compared["regions"].items():
        rows.append([region, "used", measurement(*item["used"]["total"]), "–", "–", "–"])
        for name, other in item["others"].items():
            difference = other["difference"]
            rows.append(
                [
                    region,
                    name,
                    measurement(*other["total"]),
                    measurement(*difference["total"]),
                    f"{difference['chi2']:.1f} / {difference['bins']} "
                    f"({difference['p_value']:.2g})",
                    ", ".join(other["shared"]) or "–",
                ]
            )
    header = ["region", "estimate", "events", "difference", "χ² / bins (p-value)", "both use"]
    return table(header, rows)
