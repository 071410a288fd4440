"""The tables of yields of a summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from taipan.summary.layout import ABSENT, format_measurement, format_table


def write_yields(summary: Mapping[str, Any]) -> list[str]:
    """Write the yields of fitted regions and of those of estimates, from a summary."""
    yields = summary["yields"]
    fitted = [region for region in yields if region in summary["fitted_regions"]]
    others = [region for region in yields if region not in fitted]
    data = "pseudo-data" if summary["pseudo_data"] else "data"
    parts = [
        f"Fitted regions; uncertainties are statistical.\n\n{_yield_table(yields, fitted, data)}"
    ]
    if others:
        parts.append(
            f"Regions of the estimates.\n\n{_yield_table(yields, others, data, totals=False)}"
        )
    return parts


def _yield_table(
    yields: Mapping[str, Mapping[str, Mapping[str, float]]],
    regions: Sequence[str],
    name: str,
    *,
    totals: bool = True,
) -> str:
    processes = list(dict.fromkeys(process for region in regions for process in yields[region]))
    simulated = [process for process in processes if process != "data"]
    rows = [[process, *(_cell(yields[r].get(process)) for r in regions)] for process in simulated]
    data = {region: yields[region].get("data") for region in regions}
    if totals:
        predicted = {region: _add(yields[region]) for region in regions}
        rows.append(["prediction", *(format_measurement(*predicted[r]) for r in regions)])
        rows.append([name, *(_data_cell(data[r]) for r in regions)])
        rows.append([f"{name}/prediction", *(_ratio(data[r], *predicted[r]) for r in regions)])
    else:
        rows.append([name, *(_data_cell(data[r]) for r in regions)])
    return format_table(["process", *regions], rows)


def _cell(value: Mapping[str, float] | None) -> str:
    if value is None or (value["yield"] == 0 and value["stat"] == 0):
        return ABSENT
    return format_measurement(value["yield"], value["stat"])


def _data_cell(value: Mapping[str, float] | None) -> str:
    return "blinded" if value is None else f"{value['yield']:.0f}"


def _add(processes: Mapping[str, Mapping[str, float]]) -> tuple[float, float]:
    predicted = [value for process, value in processes.items() if process != "data"]
    variance = sum(value["stat"] ** 2 for value in predicted)
    return sum(value["yield"] for value in predicted), math.sqrt(variance)


def _ratio(data: Mapping[str, float] | None, total: float, stat: float) -> str:
    if data is None:
        return "blinded"
    if total <= 0:
        return ABSENT
    ratio = data["yield"] / total
    return format_measurement(ratio, math.hypot(data["stat"], ratio * stat) / total)
