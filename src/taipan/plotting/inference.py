"""Figures of ``taipan fit`` and of the coverage: impacts, scans, toys, coverage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy.stats import norm

from taipan.export.names import make_file_names
from taipan.plotting.style import (
    CYCLE,
    DOWN,
    UP,
    add_header,
    find_unit,
    house_style,
    inch_margins,
    new_figure,
    room_for_names,
    save_figure,
    with_unit,
    write_estimate,
)

# Parameters that an impacts plot shows; the file of the result has all.
SHOWN = 25
_ROW = 0.28  # inches
_RISES = {1: ((1.0, "68.27 %"), (3.841, "95 %")), 2: ((2.279, "68 %"), (5.991, "95 %"))}
"""2ΔlnL at the ends of intervals of one and two parameters (χ² quantiles)."""


def draw_result(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw everything in a result that has a figure.

    Parameters
    ----------
    result
        As ``taipan fit`` computes it.
    folder
        Receives PDF, PNG and JSON of each figure.

    Returns
    -------
    list of Path
        The PNG files.
    """
    figures: dict[str, tuple[Figure, Any]] = {}
    if "impacts" in result:
        numbers = impact_numbers(result)
        figures["impacts"] = (impact_figure(numbers), numbers)
    for found in result.get("scans", []):
        figures["scan_" + "_".join(found["names"])] = (scan_figure(found), found)
    if "toys" in result:
        figures["toys"] = (toys_figure(result["toys"]), result["toys"])
    made = []
    for name, (figure, numbers) in zip(
        make_file_names(list(figures)), figures.values(), strict=True
    ):
        outputs = {kind: folder / f"{name}.{kind}" for kind in ("pdf", "png", "json")}
        save_figure(figure, outputs, numbers)
        made.append(outputs["png"])
    return made


def impact_numbers(
    result: Mapping[str, Any], header: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Collect the largest impacts with pulls and constraints of the parameters.

    Parameters
    ----------
    result
        With ``parameters`` and ``impacts``, as ``taipan fit`` computes them.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV; None: nothing is written above.
    """
    parameters = {item["name"]: item for item in result["parameters"]}
    rows = []
    for item in result["impacts"][:SHOWN]:
        found = parameters[item["name"]]
        keys = ("pull", "constraint", "value", "sigma")
        unit = find_unit(result, item["name"])
        own = {"unit": unit} if unit else {}
        rows.append({**item, **{key: found[key] for key in keys}, **own})
    mode = result.get("mode", "observed")
    unit = find_unit(result, result["poi"])
    numbers = {"header": header, "poi": result["poi"], "mode": mode, "rows": rows}
    return {**numbers, "unit": unit} if unit else numbers


@house_style()
def impact_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw impacts (boxes, upper axis) and pulls (points, lower axis), the largest on top."""
    rows = numbers["rows"]
    room = room_for_names((row["name"] for row in rows), 2.38)
    figure = new_figure(4.62 + room, _ROW * max(len(rows), 3) + 2.3)
    axes = figure.add_subplot()
    figure.subplots_adjust(**inch_margins(figure, room, 0.2, 1.05, 0.95))
    top = axes.twiny()
    places = np.arange(len(rows))
    for side, colour in ((0, UP), (1, DOWN)):
        label = f"{'+' if side == 0 else '−'}1σ"
        before = [0.0 if row["prefit"] is None else row["prefit"][side] for row in rows]
        after = [row["postfit"][side] for row in rows]
        top.barh(places, before, height=0.75, fill=False, edgecolor=colour, lw=0.8)
        top.barh(places, after, height=0.75, color=colour, alpha=0.55, label=f"Impact, {label}")
    reach = max([1e-9, *(abs(v) for row in rows for v in (row["prefit"] or row["postfit"]))])
    top.set_xlim(-1.15 * reach, 1.15 * reach)
    label = rf"$\Delta {write_estimate(numbers['poi'])}$"
    top.set_xlabel(with_unit(label, numbers.get("unit", "")))
    for place, row in zip(places, rows, strict=True):
        if row["pull"] is None:
            text = f"{row['value']:.2f} ± {row['sigma']:.2f} {row.get('unit', '')}".rstrip()
            behind = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8}
            style = {"ha": "center", "va": "center", "size": 7.5, "zorder": 4, "bbox": behind}
            axes.text(0.0, place, text, **style)
        else:
            axes.errorbar(
                row["pull"], place, xerr=row["constraint"], fmt="o", color="black", ms=3.5, lw=1.0
            )
    axes.set_zorder(top.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.set_xlim(-2.4, 2.4)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(places, [row["name"] for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(r"$(\hat{\theta} - \theta_0) / \Delta\theta$")
    boxes, names = top.get_legend_handles_labels()
    boxes, names = [*boxes, Patch(fill=False, edgecolor="black")], [*names, "Before the fit"]
    pull = axes.errorbar([], [], xerr=[], fmt="o", color="black", ms=3.5, lw=1.0)
    figure.legend(
        [*boxes, pull], [*names, "Pull"], loc="lower center", ncol=4, fontsize=7.5,
        bbox_to_anchor=(0.6, 0.0),
    )  # fmt: skip
    if numbers.get("header"):
        above = figure.add_axes((0.34, 0.0, 0.63, 1.0 - 0.3 / figure.get_figheight()))
        above.set_axis_off()
        add_header(above, above, numbers["header"], str(numbers["mode"]))
    return figure


@house_style()
def scan_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw 2ΔlnL of one parameter as a curve, of two as contours."""
    names = numbers["names"]
    figure = new_figure(5.6, 4.6)
    axes = figure.add_subplot()
    figure.subplots_adjust(left=0.16, right=0.95, bottom=0.15, top=0.95)
    rise = np.asarray(numbers["rise"])
    axes.set_xlabel(numbers.get("label", names[0]))
    if len(names) == 1:
        axes.plot(numbers["axes"][0], rise, color=CYCLE[0])
        for level, text in _RISES[1]:
            axes.axhline(level, color="black", lw=0.6, ls=":")
            axes.annotate(text, (0.02, level), xycoords=("axes fraction", "data"), va="bottom")
        axes.set_ylim(0.0, max(1.1 * float(rise.max()), 4.5))
        axes.set_ylabel(r"$2\Delta\ln L$")
        return figure
    levels = [level for level, _ in _RISES[2]]
    shown = axes.contour(*numbers["axes"], rise.T, levels=levels, colors=[CYCLE[0], CYCLE[1]])
    axes.clabel(shown, fmt=dict(_RISES[2]))
    axes.plot(*numbers["best"], "P", color="black", ms=6)
    axes.set_ylabel(names[1])
    return figure


@house_style()
def toys_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the pulls of toys with the unit Gaussian."""
    figure = new_figure(5.6, 4.6)
    axes = figure.add_subplot()
    figure.subplots_adjust(left=0.14, right=0.95, bottom=0.15, top=0.95)
    pulls = (np.asarray(numbers["mu_hat"]) - numbers["mu"]) / np.asarray(numbers["sigma"])
    _draw_pulls(axes, pulls)
    return figure


def _draw_pulls(axes: Axes, pulls: Any) -> None:
    edges = np.linspace(-4.0, 4.0, 33)
    counts, _ = np.histogram(np.clip(pulls, -3.999, 3.999), edges)
    axes.stairs(counts, edges, color=CYCLE[0], fill=True, alpha=0.4, label="pseudo-experiments")
    grid = np.linspace(-4.0, 4.0, 161)
    width = edges[1] - edges[0]
    axes.plot(grid, len(pulls) * width * norm.pdf(grid), color="black", label="unit Gaussian")
    axes.set_xlabel(r"$(\hat{\mu} - \mu) / \sigma$")
    axes.set_ylabel("Pseudo-experiments")
    axes.set_ylim(0.0, 1.35 * float(max(counts.max(), 1)))
    axes.legend(loc="upper right")


@house_style()
def coverage_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw pulls, and the coverage of intervals with that of shrunk ones.

    Parameters
    ----------
    numbers
        ``pulls`` and ``report`` (of :func:`taipan.coverage.score.summarise_experiments`).
    """
    figure = new_figure(10.0, 4.4)
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.08, right=0.98, bottom=0.16, top=0.93, wspace=0.22)
    _draw_pulls(left, np.asarray(numbers["pulls"]))
    report = numbers["report"]
    for key, colour, marker in (("intervals", "black", "o"), ("shrunk", UP, "s")):
        label = "intervals" if key == "intervals" else "intervals × 0.7 (must fail)"
        fractions = [item["fraction"] - item["level"] for item in report[key]]
        errors = [2.0 * item["error"] for item in report[key]]
        places = np.arange(len(fractions)) + (0.0 if key == "intervals" else 0.15)
        right.errorbar(places, fractions, errors, fmt=marker, color=colour, capsize=3, label=label)
    right.axhline(0.0, color="black", lw=0.6, ls=":")
    levels = [f"{100 * item['level']:g} %" for item in report["intervals"]]
    right.set_xticks(range(len(levels)), levels)
    right.set_xlim(-0.6, len(levels) - 0.3)
    right.set_xlabel("Promised coverage")
    right.set_ylabel("Found − promised (bars: 2 binomial σ)")
    right.legend(loc="lower right")
    return figure
