"""Figure of the systematic uncertainties: their templates, relative to the nominal one."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from taipan.errors import TaipanError
from taipan.plotting.stack import ratio_to
from taipan.plotting.style import (
    DOWN,
    UP,
    add_header,
    house_style,
    inch_margins,
    new_figure,
    with_unit,
)
from taipan.plotting.systematic_numbers import CLASSES_SHOWN

_WIDTH, _HEIGHT, _GAP = 5.2, 1.35, 0.12  # of a panel and between rows, in inches
_VISIBLE = 2e-4  # of nominal: a pixel of a panel
_LINE, _LETTERS = 0.15, 85  # of the note below a column: inches for a line, letters in it
_NO_EFFECT = f"no effect (< {_VISIBLE:.2%})".replace("%", " %")
_NOTES = {
    "both": "",
    "mirrored": ", one-sided: mirrored",
    "averaged": ", symmetrised",
    "denoised": ", symmetrised but for what is more than noise",
    "rate": ", rate",
}
# Width of the bin of a control region, and of the space before it, in widths of the main axis.
_CONTROL, _SPACE = 0.07, 0.02

Array = NDArray[np.float64]


@house_style()
def systematic_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw up and down over nominal: a panel a systematic, a column a region and class.

    A note below a column names the systematics without effect there.

    Parameters
    ----------
    numbers
        Of :func:`~taipan.plotting.systematic_numbers.systematic_numbers`.

    Raises
    ------
    TaipanError
        If there is no systematic with templates.
    """
    panels = numbers["panels"]
    if not panels:
        raise TaipanError("systematics: none acts on a template, there is nothing to draw")
    control = numbers["control"]
    rows = list(dict.fromkeys(panel["systematic"] for panel in panels))
    columns = [
        (region, role)
        for region in numbers["regions"]
        for role in CLASSES_SHOWN
        if region not in control
    ]
    shown = _place_panels(panels, columns, control)
    columns = [place for place in columns if any((row, *place) in shown for row in rows)]
    listed, notes = {}, {}
    for place in columns:
        of_column = {row: shown.get((row, *place), []) for row in rows}
        listed[place] = [row for row in rows if _has_effect(of_column[row])]
        notes[place] = _write_note(of_column)
    height = max(1, *map(len, listed.values()))
    below = 0.55 + 0.15 * len(control)
    extra = _LINE * max(map(len, notes.values()))
    figure = new_figure(_WIDTH * len(columns), (_HEIGHT + _GAP) * height + 1.2 + extra)
    grid = figure.add_gridspec(
        height, len(columns), hspace=_GAP / _HEIGHT, wspace=0.2,
        **inch_margins(figure, 0.7, 0.2, below + extra, 0.65),
    )  # fmt: skip
    own = numbers.get("axes", {})
    several = len({region for region, _ in columns}) > 1
    names = {name: f"{label} " if several else "" for name, label in numbers["regions"].items()}
    for j, place in enumerate(columns):
        shape = own.get(place[0], numbers)
        for i, row in enumerate(listed[place]):
            axes = figure.add_subplot(grid[i, j])
            edges = np.asarray(shape["edges"])
            _draw_panels(axes, edges, shown[(row, *place)], control, names[place[0]])
            axes.tick_params(labelbottom=i == len(listed[place]) - 1)
            if (i, j) == (len(listed[place]) // 2, 0):
                axes.set_ylabel("Varied / nominal", loc="center")
        if not listed[place]:
            axes = figure.add_subplot(grid[0, j])
            axes.axis("off")
        else:
            axes.set_xlabel(with_unit(shape["label"], shape["unit"]))
        axes.annotate(
            "\n".join(notes[place]), (0, 0), (0, -72 * below), va="top", size=8.5,
            xycoords="axes fraction", textcoords="offset points", annotation_clip=False,
        )  # fmt: skip
    figure.legend(
        handles=[
            Line2D([], [], color=UP, label="+1σ"),
            Line2D([], [], color=DOWN, ls="--", label="−1σ"),
            Line2D([], [], color="black", lw=0.6, alpha=0.6, label="as filled"),
            Patch(color="#d0d0d0", label="Stat. uncertainty of nominal"),
        ],
        loc="upper right", ncols=4, borderpad=0.3,
    )  # fmt: skip
    region = ", ".join(label for name, label in numbers["regions"].items() if name not in control)
    tops = [sum(max(1, len(listed[place])) for place in columns[:j]) for j in range(len(columns))]
    add_header(figure.axes[0], figure.axes[tops[-1]], numbers["header"], region)
    return figure


def _has_effect(panels: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether anything that is drawn can be told from nominal."""
    return any(
        not np.allclose(part[key], part["nominal"], rtol=_VISIBLE, atol=0.0)
        for panel in panels
        for part in (panel, panel.get("fitted"))
        if part is not None
        for key in ("up", "down")
        if part[key] is not None
    )


def _write_note(column: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Name the systematics without effect in a column, in lines that fit under it."""
    pruned = {row for row, panels in column.items() if panels and _is_pruned(panels)}
    names = [
        row + (" (pruned)" if row in pruned else "")
        for row, panels in column.items()
        if not _has_effect(panels)
    ]
    return textwrap.wrap(f"{_NO_EFFECT}: {', '.join(names)}", _LETTERS) if names else []


def _is_pruned(panels: Sequence[Mapping[str, Any]]) -> bool:
    return all("fitted" in panel and panel["fitted"] is None for panel in panels)


def _place_panels(
    panels: Sequence[Mapping[str, Any]],
    columns: Sequence[tuple[str, str]],
    control: Sequence[str],
) -> dict[tuple[str, str, str], list[Mapping[str, Any]]]:
    """Give the panels of each row and column; control regions stand beside the first region."""
    home = columns[0][0]
    placed: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for panel in panels:
        region = home if panel["region"] in control else panel["region"]
        placed.setdefault((panel["systematic"], region, panel["class"]), []).append(panel)
    return placed


def _draw_panels(
    axes: Axes,
    edges: Array,
    panels: Sequence[Mapping[str, Any]],
    control: Sequence[str],
    where: str,
) -> None:
    """Draw the bins of a signal region and, at their right, one for each control region."""
    low, span = float(edges[0]), float(edges[-1] - edges[0])
    reach, ticks, names = 0.01, [], []
    for j, region in enumerate(control):
        start = low + span * (1.0 + _SPACE + j * (_CONTROL + _SPACE))
        axes.axvline(start - 0.5 * _SPACE * span, color="black", lw=0.4, ls=":")
        ticks.append(start + 0.5 * _CONTROL * span)
        names.append(region)
    end = low + span * (1.0 + len(control) * (_CONTROL + _SPACE))
    axes.axhline(1.0, color="black", lw=0.6)
    for panel in panels:
        region, bins = panel["region"], np.asarray(panel["edges"])
        fitted = panel.get("fitted")
        fit_bins = None if fitted is None else np.asarray(fitted["edges"])
        if region in control:
            centre = ticks[names.index(region)]
            bins = centre + np.array([-0.5, 0.5]) * _CONTROL * span
            fit_bins = None if fitted is None else bins
        reach = max(reach, _draw_bins(axes, panel, bins, fit_bins))
    half = 1.25 * reach
    axes.set_ylim(1.0 - half, 1.0 + 1.5 * half)
    axes.set_xlim(low, end)
    if control:
        inner = [tick for tick in axes.get_xticks() if low <= tick <= edges[-1]]
        # below each other and the numbers
        below = ["\n" * (j + 1) + region for j, region in enumerate(names)]
        axes.set_xticks([*inner, *ticks], [*(f"{tick:g}" for tick in inner), *below])
        axes.minorticks_off()
    if panels:
        first = panels[0]
        text = f"{first['systematic']}: {where}{first['class']}{_NOTES[first['sides']]}"
        text += ", pruned" if _is_pruned(panels) else ""
        axes.text(0.015, 0.93, text, transform=axes.transAxes, va="top", size=8.5)


def _draw_bins(axes: Axes, panel: Mapping[str, Any], bins: Array, fit_bins: Array | None) -> float:
    """Draw up and down over nominal, thin as filled and thick as fitted; give their reach."""
    nominal = np.asarray(panel["nominal"])
    band = np.nan_to_num(ratio_to(panel["nominal_sigma"], nominal))
    axes.stairs(1.0 + band, bins, baseline=1.0 - band, fill=True, color="#d0d0d0", lw=0)
    fitted = panel.get("fitted")
    thin = {} if "fitted" not in panel else {"lw": 0.6, "alpha": 0.6}
    reach = 0.0
    for key, colour, line in (("up", UP, "-"), ("down", DOWN, "--")):
        shown = []
        if panel[key] is not None:
            shown.append((panel[key], nominal, bins, thin))
        if fitted is not None and fit_bins is not None:
            shown.append((fitted[key], np.asarray(fitted["nominal"]), fit_bins, {}))
        for values, reference, places, style in shown:
            ratio = ratio_to(values, reference)
            axes.stairs(ratio, places, color=colour, ls=line, baseline=None, **style)
            reach = max(reach, float(np.nanmax(np.abs(ratio - 1.0), initial=0.0)))
    return reach
