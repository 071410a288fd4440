"""Results of ``taipan fit`` as CSV and LaTeX tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from taipan.clean_text import escape_cell, escape_latex
from taipan.inference.yields import join_parts

TableRows = list[list[str]]

_NOISE = 1e-9
"""Events below which a yield is none: what is left when equal numbers are subtracted."""


def yields_table(
    result: Mapping[str, Any], stage: str, subtractions: Mapping[str, str]
) -> TableRows:
    """Give yields per region and sample, with the total, its uncertainty and the data.

    Parameters
    ----------
    result
        As ``taipan fit`` writes it.
    stage
        ``prefit`` or ``postfit``.
    subtractions
        Sample → estimate that it is subtracted for; the table has the net estimate.
    """
    regions = join_parts(result[stage], subtractions)
    samples = list(dict.fromkeys(name for item in regions.values() for name in item["samples"]))
    rows = [["sample", *regions]]
    for sample in samples:
        row = [sample]
        for item in regions.values():
            value = sum(item["samples"].get(sample, [0.0]))
            row.append(f"{without_noise(value):.4g}")
        rows.append(row)
    totals = [f"{sum(i['total']):.5g} ± {i['sum_sigma']:.3g}" for i in regions.values()]
    rows.append(["total", *totals])
    rows.append(["data", *(f"{sum(item['data']):.6g}" for item in regions.values())])
    return rows


def without_noise(value: float) -> float:
    """Give a yield, or 0 for one that is only rounding."""
    return value if abs(value) > _NOISE else 0.0


def impacts_table(result: Mapping[str, Any]) -> TableRows:
    """Impacts of the parameters, the largest first; empty prefit columns for free parameters."""
    rows = [["parameter", "postfit +1σ", "postfit -1σ", "prefit +1σ", "prefit -1σ"]]
    for item in result["impacts"]:
        before = item["prefit"] or (None, None)
        values = [*item["postfit"], *before]
        rows.append([item["name"], *("" if v is None else f"{v:+.4f}" for v in values)])
    return rows


def parameters_table(result: Mapping[str, Any]) -> TableRows:
    """Estimates, pulls and constraints of all parameters."""
    rows = [["parameter", "value", "sigma", "pull", "constraint"]]
    for item in result["parameters"]:
        numbers = [item[key] for key in ("value", "sigma", "pull", "constraint")]
        rows.append([item["name"], *("" if v is None else f"{v:.5g}" for v in numbers)])
    return rows


def to_csv(rows: Sequence[Sequence[str]]) -> str:
    """Write rows as CSV, the first as header; no cell is a formula of a spreadsheet."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [escape_cell(cell) for cell in row] for row in rows
    )
    return text.getvalue()


def to_latex(rows: Sequence[Sequence[str]]) -> str:
    """Write rows as a LaTeX ``tabular`` with a ruled header, the first column left-aligned."""
    columns = "l" + "r" * (len(rows[0]) - 1)
    lines = [f"\\begin{{tabular}}{{{columns}}}", "\\hline"]
    for i, row in enumerate(rows):
        lines.append(" & ".join(escape_latex(cell) for cell in row) + r" \\")
        if i == 0:
            lines.append("\\hline")
    return "\n".join([*lines, "\\hline", "\\end{tabular}", ""])
