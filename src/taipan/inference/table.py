"""Results as text: the table that ``taipan fit`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from taipan.clean_text import escape_controls
from taipan.terminal import fold_symbols

# Rows of impacts that a terminal shows; the file has all.
SHOWN_IMPACTS = 15


def print_result(result: Mapping[str, Any], *, symbols: bool = True) -> str:
    """Lay out the result of ``taipan fit`` for a terminal; without `symbols` in ASCII."""
    poi = result["poi"]
    rows = [["fit", result["mode"]]]
    held = result["sigma"] == 0.0
    rows.append([poi, f"{result['mu_hat']:.4g}" + (" (held)" if held else "")])
    if not held:
        rows[-1][1] += f" ± {result['sigma']:.4g}"
    if any(item["name"] == poi and item["at_bound"] for item in result["parameters"]):
        rows[-1][1] += " (at its bound)"
    if "interval" in result:
        ends = [
            f"{end:.4g}" + (" (bound)" if cut else "")
            for end, cut in zip(result["interval"], result["interval_at_bound"], strict=True)
        ]
        rows.append(["68.27 % interval", f"[{ends[0]}, {ends[1]}]"])
        rows.append(
            ["significance", f"{result['significance']:.3g} σ (p = {result['p_value']:.3g})"]
        )
    rows += [_limit(result[key], key) for key in ("limit", "limit_toys") if key in result]
    for name, value in result.get("breakdown", {}).items():
        rows.append([f"σ, {name}", f"{value:.4g}"])
    rows += _goodness(result)
    if "toys" in result:
        toys = result["toys"]
        width = "" if toys["pull_width"] is None else f", width {toys['pull_width']:.3f}"
        rows.append([f"{toys['n']} toys", f"pull mean {toys['pull_mean']:+.3f}{width}"])
    blocks = [rows]
    if "impacts" in result:
        blocks.append(_impacts(result))
    blocks.append(_yields(result))
    blocks += [[[f"note: {note}"]] for note in result["notes"]]
    return "\n".join(_aligned(block, symbols) for block in blocks)


def _limit(limit: Mapping[str, Any], key: str) -> list[str]:
    how = "toys" if key == "limit_toys" else "asymptotic"
    low, median, high = ("?" if v is None else f"{v:.4g}" for v in limit["band"][1:4])
    return [
        f"CLs limit, {100 * limit['level']:g} %, {how}",
        f"{limit['observed']:.4g} (expected {median}, ±1σ [{low}, {high}])",
    ]


def _goodness(result: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    if "goodness" in result:
        found = result["goodness"]
        text = f"{found['statistic']:.4g} / {found['degrees']}"
        for key, name in (("p_value", "p"), ("p_value_toys", "p, toys")):
            text += "" if found[key] is None else f", {name} = {found[key]:.3g}"
        rows.append(["saturated χ²", text])
    if "compatibility" in result:
        found = result["compatibility"]
        text = f"{found['statistic']:.4g} / {found['degrees']}, p = {found['p_value']:.3g}"
        rows.append(["regions agree", text])
    return rows


def _impacts(result: Mapping[str, Any]) -> list[list[str]]:
    parameters = {item["name"]: item for item in result["parameters"]}
    rows = [["parameter", "value", "σ", "impact +1σ", "impact -1σ", "prefit +", "prefit -"]]
    for impact in result["impacts"][:SHOWN_IMPACTS]:
        item = parameters[impact["name"]]
        before = ["", ""] if impact["prefit"] is None else [f"{v:+.4f}" for v in impact["prefit"]]
        after = [f"{v:+.4f}" for v in impact["postfit"]]
        rows.append(
            [impact["name"], f"{item['value']:+.3f}", f"{item['sigma']:.3f}", *after, *before]
        )
    return rows


def _yields(result: Mapping[str, Any]) -> list[list[str]]:
    rows = [["region", "data", "prefit", "postfit"]]
    for region, after in result["postfit"].items():
        before = result["prefit"][region]
        rows.append(
            [region, f"{sum(after['data']):.6g}", *(_total(item) for item in (before, after))]
        )
    return rows


def _total(yields: Mapping[str, Any]) -> str:
    return f"{sum(yields['total']):.6g} ± {yields['sum_sigma']:.3g}"


def _aligned(cells: Sequence[Sequence[str]], symbols: bool) -> str:
    rows = [[_shown(cell, symbols) for cell in row] for row in cells]
    table = tabulate(rows, tablefmt="plain", disable_numparse=True)
    return "".join(line.rstrip() + "\n" for line in table.splitlines())


def _shown(cell: str, symbols: bool) -> str:
    text = escape_controls(cell.replace("\n", "\\n"))
    return text if symbols else fold_symbols(text)
