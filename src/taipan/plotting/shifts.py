"""Figure of the shifts against their own statistical errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from taipan.plotting.style import (
    add_header,
    house_style,
    inch_margins,
    new_figure,
    room_for_names,
)

_LARGEST = 5.0
"""Largest χ²/ndf with a colour of its own: above it, a shift is far beyond its noise."""
_CELL, _ROW = 0.75, 0.3  # inches
_LEAST = 4.6, 1.6  # inches for header and label of the colours


def shift_numbers(
    record: Mapping[str, Any], regions: Mapping[str, str], header: Mapping[str, Any]
) -> dict[str, Any]:
    """Collect χ² and degrees of freedom of the shapes.

    Parameters
    ----------
    record
        Record written beside the workspace.
    regions
        Signal region → its label.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``header``, ``regions`` and ``shifts``: those of the record in these regions.
    """
    found = [item for item in record["treatment"]["shifts"] if item["region"] in regions]
    return {"header": dict(header), "regions": dict(regions), "shifts": found}


@house_style()
def shift_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw χ²/ndf of every shift: a row a systematic, a column a region, sample and direction.

    Parameters
    ----------
    numbers
        Of :func:`shift_numbers`.
    """
    shifts = [item for item in numbers["shifts"] if item["ndf"]]
    several = len(numbers["regions"]) > 1

    def column(item: Mapping[str, Any]) -> str:
        name = item["sample"] + ("" if item["direction"] == "up" else " down")
        return f"{item['region']}, {name}" if several else name

    rows = list(dict.fromkeys(item["systematic"] for item in shifts))
    columns = list(dict.fromkeys(column(item) for item in shifts))
    values = np.full((max(len(rows), 1), max(len(columns), 1)), np.nan)
    for item in shifts:
        place = rows.index(item["systematic"]), columns.index(column(item))
        values[place] = item["chi2"] / item["ndf"]
    width, height = _CELL * values.shape[1], _ROW * values.shape[0]
    below, beside = room_for_names(columns, 0.8), room_for_names(rows, 2.1)
    figure = new_figure(max(width, _LEAST[0]) + beside + 1.1, max(height, _LEAST[1]) + below + 0.4)
    grid = figure.add_gridspec(1, 1, **inch_margins(figure, beside, 1.1, below, 0.4))
    axes = figure.add_subplot(grid[0])
    image = axes.imshow(values, cmap="viridis", vmin=0.0, vmax=_LARGEST, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "black" if value > 0.6 * _LARGEST else "white"
            axes.text(j, i, f"{value:.1f}", size=7.5, ha="center", va="center", color=colour)
    axes.set_xticks(np.arange(len(columns)), columns, rotation=90)
    axes.set_yticks(np.arange(len(rows)), rows)
    axes.tick_params(length=0)
    if not shifts:
        axes.text(0.5, 0.5, "no errors of shifts", transform=axes.transAxes, ha="center")
    inch = 1.0 / max(width, _LEAST[0])
    place = axes.inset_axes((1.0 + 0.1 * inch, 0.0, 0.15 * inch, 1.0))
    bar = figure.colorbar(image, cax=place, extend="max")
    bar.set_label("χ²/ndf of the change\nof shape (1: noise)")
    add_header(axes, axes, numbers["header"], ", ".join(numbers["regions"].values()))
    return figure
