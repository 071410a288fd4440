"""The tables of unfolded spectra of a summary."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from taipan.clean_text import escape_markdown
from taipan.summary.layout import format_measurement, format_table

_MIN_DECIMALS = 2


def write_spectra(summary: Mapping[str, Any]) -> list[str]:
    """Write each unfolded spectrum of a summary, and its bottom-line test."""
    parts = []
    for name, item in summary["unfolding"].items():
        rows = []
        unit = f" {escape_markdown(item['unit'])}" if item["unit"] else ""
        for i, (low, high) in enumerate(pairwise(item["edges"])):
            cells = [f"{low:g} to {high:g}{unit}"]
            for kind in ("expected", "observed"):
                found = item[kind]
                cells.append(
                    "blinded"
                    if found is None
                    else format_measurement(found["values"][i], found["sigma"][i], _MIN_DECIMALS)
                )
            rows.append(cells)
        what = escape_markdown(item["predicted_unit"]) or "over the prediction"
        header = [escape_markdown(item["quantity"]), f"expected ({what})", f"observed ({what})"]
        parts.append(f"`{name}`{_penalty(item)}.\n\n{format_table(header, rows)}")
        kind = "expected" if item["observed"] is None else "observed"
        parts.append(_bottom_line(item[kind]["bottom_line"]))
    return parts


def name_spectrum(summary: Mapping[str, Any]) -> str:
    """Write the first line of a summary whose first parameter is that of a truth bin."""
    name, item = next(
        (name, item)
        for name, item in summary["unfolding"].items()
        if summary["poi"] in item["strengths"]
    )
    kind = "expected" if item["observed"] is None else "observed"
    test = item[kind]["bottom_line"]["unfolded"]
    blinded = "Blinded; " if item["observed"] is None else ""
    return (
        f"**{blinded}{escape_markdown(name)} is unfolded in {len(item['strengths'])} bins of "
        f"{escape_markdown(item['quantity'])}** (table below); χ² of the prediction "
        f"{test['chi2']:.1f} / {test['degrees']}."
    )


def list_unfolded(summary: Mapping[str, Any]) -> set[str]:
    """List the parameters of the truth bins."""
    return {name for item in summary.get("unfolding", {}).values() for name in item["strengths"]}


def _penalty(item: Mapping[str, Any]) -> str:
    if item["curvature"] is None:
        return ", without a penalty"
    return f", second differences of strengths drawn to 0 ± {item['curvature']:g}"


def _bottom_line(test: Mapping[str, Any]) -> str:
    unfolded, counted = test["unfolded"], test["counted"]
    verdict = "passed" if test["passed"] else "FAILED: the covariance is too small"
    return (
        f"Bottom line: χ² of the prediction is {unfolded['chi2']:.1f} / {unfolded['degrees']} with "
        f"the unfolded spectrum, {counted['chi2']:.1f} / {counted['degrees']} with the counts "
        f"({verdict})."
    )
