"""Contours of pairs of parameters of interest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taipan.plotting.style import (
    CYCLE,
    add_header,
    house_style,
    inch_margins,
    name_axis,
    new_figure,
)

_WIDTH, _HEIGHT = 4.6, 4.6  # inches of a panel
_LINES = ("-", "--", ":")
_STANDARD = (1.0, 1.0)
"""Signal strengths that the standard model predicts."""


def contour_numbers(result: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the contours of a fit.

    Parameters
    ----------
    result
        File of a fit with several parameters of interest (``docs/fit.md``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``panels``, one for each pair, with the contours of the data, or of the expected result of a
        blinded fit.
    """
    kind = "expected" if result["observed"] is None else "observed"
    known = result.get("interests", {})
    panels = []
    for pair in result["contours"]:
        panel = pair[kind]
        found = [known.get(name) for name in panel["parameters"]]
        labels = [name_axis(result, name) for name in panel["parameters"]]
        panel = {**panel, "labels": labels}
        if any(found):
            predicted = [item["prediction"] * item["size"] if item else 1.0 for item in found]
            panel = {**panel, "predicted": predicted}
        panels.append(panel)
    return {"header": dict(header), "kind": kind, "panels": panels}


@house_style()
def contour_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the contours of each pair beside each other."""
    panels = numbers["panels"]
    figure = new_figure(_WIDTH * len(panels), _HEIGHT)
    row = [figure.add_subplot(1, len(panels), i + 1) for i in range(len(panels))]
    inch_margins(figure, left=0.75, right=0.2, bottom=0.6, top=0.5)
    figure.subplots_adjust(wspace=0.3)
    for axes, panel in zip(row, panels, strict=True):
        _draw(axes, panel)
    add_header(row[0], row[-1], numbers["header"], str(numbers["kind"]))
    return figure


def _draw(axes: Axes, panel: Mapping[str, Any]) -> None:
    for line, contour in zip(_LINES, panel["contours"], strict=False):
        points = np.asarray(contour["points"])
        closed = np.concatenate([points, points[:1]])
        label = f"{100 * contour['level']:.2f} %"
        axes.plot(closed[:, 0], closed[:, 1], line, color=CYCLE[0], label=label)
    axes.plot(*panel["best"], "P", color="black", ms=7, label="best fit", ls="none")
    predicted = panel.get("predicted", _STANDARD)
    axes.plot(*predicted, "*", color=CYCLE[2], ms=9, label="prediction", ls="none")
    first, second = panel["labels"]
    axes.set_xlabel(first)
    axes.set_ylabel(second)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.3 * (high - low))  # the legend has room above
    axes.legend(loc="upper right", ncol=2, fontsize=8)
