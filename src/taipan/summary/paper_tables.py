"""Tables of a run for a paper: with labels, errors and net estimates."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from taipan.clean_text import escape_latex
from taipan.export.tables import TableRows
from taipan.summary.layout import ABSENT, format_measurement, plain_label
from taipan.summary.words import (
    MIN_DECIMALS,
    write_limit,
    write_measured,
    write_percent,
    write_unit,
)

_NOTHING = 1e-6
"""Events below which a yield is none: what is left when equal numbers are subtracted."""
_KINDS = ("expected", "observed")
_MATHS = re.compile(
    r"(?:[A-Za-z0-9 ^_{}<>=+.,()|*/'-]|\\(?:tau|mu|nu|ell|gamma|eta|phi|chi|sigma|Delta|bar|hat|to"
    r"|rightarrow|pm|times|geq?|leq?|mathrm|rm|text)(?![A-Za-z])|\\[,;! ])*"
)


def write_label(label: str) -> str:
    """Write a label for LaTeX: its mathematics stay, as far as they are only letters and signs.

    Parameters
    ----------
    label
        Text in which mathematics stand between dollar signs.
    """
    pieces = label.split("$")
    safe = all(
        _MATHS.fullmatch(piece) and piece.count("{") == piece.count("}") for piece in pieces[1::2]
    )
    if len(pieces) % 2 == 0 or not safe:
        return escape_latex(plain_label(label))
    return "".join(
        f"${piece}$" if odd % 2 else escape_latex(piece) for odd, piece in enumerate(pieces)
    )


def tabulate_results(summary: Mapping[str, Any]) -> TableRows:
    """Give each parameter of interest, expected and observed.

    Parameters
    ----------
    summary
        Content of ``summary.json``.
    """
    level = write_percent(summary["expected"]["limit"]["level"])
    rows = [["parameter", "fit", "value", "68.27 % interval", "significance", f"{level} CLs limit"]]
    for name, found in {summary["poi"]: summary, **summary.get("others", {})}.items():
        label = summary.get("interests", {}).get(name, {}).get("label", "") or name
        unit = write_unit(summary, name)
        least = 0 if unit else MIN_DECIMALS
        for kind in _KINDS:
            result = found[kind]
            if result is None:
                rows.append([label, kind, *["blinded"] * 4])
                continue
            low, high = (f"{end:.{max(least, 1)}f}" for end in result["interval"])
            rows.append(
                [
                    label,
                    kind,
                    write_measured(result, least) + unit,
                    f"[{low}, {high}]",
                    f"{result['significance']:.2f}",
                    write_limit(result["limit"][kind], least) + unit,
                ]
            )
    return rows


def list_all_yields(
    summary: Mapping[str, Any], labels: Mapping[str, str], regions: Mapping[str, str]
) -> TableRows:
    """Give the yields before the fit with statistical errors, a row for each number.

    Parameters
    ----------
    summary
        Content of ``summary.json``.
    labels, regions
        Sample and region → label.
    """
    rows = [["region", "region label", "process", "process label", "yield", "error"]]
    for region, found in summary["yields"].items():
        for process, value in found.items():
            if _is_nothing(value["yield"], value["stat"]):
                continue
            label = plain_label(labels.get(process, process))
            where = plain_label(regions.get(region, region))
            numbers = (f"{value['yield']:.6g}", f"{value['stat']:.3g}")
            rows.append([region, where, process, label, *numbers])
    return rows


def tabulate_yields(
    summary: Mapping[str, Any], labels: Mapping[str, str], regions: Mapping[str, str]
) -> TableRows:
    """Give the yields before the fit in fitted regions, a column for each; as for LaTeX.

    Parameters are those of :func:`list_all_yields`.
    """
    shown = [name for name in summary["yields"] if name in summary["fitted_regions"]]
    rows = [["", *(regions.get(name, name) for name in shown)]]
    processes = dict.fromkeys(key for name in shown for key in summary["yields"][name])
    for process in [name for name in processes if name != "data"]:
        cells = [summary["yields"][name].get(process) for name in shown]
        rows.append([labels.get(process, process), *(_cell(cell) for cell in cells)])
    totals = []
    for name in shown:
        parts = [v for key, v in summary["yields"][name].items() if key != "data"]
        sigma = math.sqrt(sum(part["stat"] ** 2 for part in parts))
        totals.append(format_measurement(sum(part["yield"] for part in parts), sigma))
    rows.append(["Prediction", *totals])
    data = [summary["yields"][name].get("data") for name in shown]
    rows.append(["Data", *("blinded" if d is None else f"{d['yield']:.0f}" for d in data)])
    return rows


def tabulate_fitted(numbers: Mapping[str, Any], fitted: Mapping[str, Any]) -> TableRows:
    """Give the yields after the fit: net ones of samples, the prediction with its error, data.

    Parameters
    ----------
    numbers
        Of the figure ``postfit_<observable>``, in which what is subtracted for an estimate is part
        of it.
    fitted
        ``postfit`` of the fit, with `sum_sigma` of each region.
    """
    panels = numbers["panels"]
    rows = [["", *(panel["region_label"] for panel in panels)]]
    for name, style in numbers["samples"].items():
        sums = [sum(panel["samples"].get(name, [0.0])) for panel in panels]
        if any(abs(value) > _NOTHING for value in sums):
            rows.append([style["label"], *(_plain(value) for value in sums)])
    rows.append(
        [
            "Prediction",
            *(
                format_measurement(sum(p["total"]), fitted[p["region"]]["sum_sigma"])
                for p in panels
            ),
        ]
    )
    rows.append(
        ["Data", *("blinded" if p["data"] is None else f"{sum(p['data']):.0f}" for p in panels)]
    )
    return rows


def tabulate_parts(breakdown: Mapping[str, float], unit: str) -> TableRows:
    """Give the part of each group in the uncertainty, and its share of the square."""
    total = breakdown["total"]
    rows = [["group", f"uncertainty{unit and f' ({unit.strip()})'}", "share of its square (%)"]]
    for name, size in breakdown.items():
        rows.append([name, write_limit(size), f"{100 * (size / total) ** 2 if total else 0:.0f}"])
    return rows


def tabulate_parameters(result: Mapping[str, Any]) -> TableRows:
    """Give pulls and impacts of the parameters, the largest impact first.

    Parameters
    ----------
    result
        Of one fit, with `parameters` and `impacts`.
    """
    known = {item["name"]: item for item in result["parameters"]}
    rows = [["parameter", "pull", "constraint", "impact +1σ", "impact −1σ"]]
    for item in result["impacts"]:
        found = known[item["name"]]
        numbers = [found["pull"], found["constraint"], *item["postfit"]]
        rows.append([item["name"], *(_plain(value, 3) for value in numbers)])
    return rows


def _cell(value: Mapping[str, float] | None) -> str:
    if value is None or _is_nothing(value["yield"], value["stat"]):
        return ABSENT
    return format_measurement(value["yield"], value["stat"])


def _is_nothing(value: float, sigma: float) -> bool:
    return abs(value) < _NOTHING and sigma < _NOTHING


def _plain(value: float | None, decimals: int | None = None) -> str:
    """Write a number; rounding noise is none."""
    if value is None or abs(value) < _NOTHING:
        return ABSENT if value is None or decimals is None else f"{0.0:.{decimals}f}"
    if decimals is None:
        decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{decimals}f}"


def latex_rows(rows: Sequence[Sequence[str]]) -> str:
    """Write rows as a LaTeX ``tabular``; texts have their labels' mathematics."""
    columns = "l" + "r" * (len(rows[0]) - 1)
    head, *rest = (" & ".join(write_label(cell) for cell in row) + r" \\" for row in rows)
    lines = [f"\\begin{{tabular}}{{{columns}}}", "\\hline", head, "\\hline", *rest, "\\hline"]
    return "\n".join([*lines, "\\end{tabular}", ""])
