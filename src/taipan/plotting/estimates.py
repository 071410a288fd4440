"""Estimates of one sample beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.plotting.style import CYCLE, add_header, house_style, inch_margins, new_figure

_WIDTH, _HEIGHT = 4.8, 4.2  # inches of a panel


def estimate_numbers(
    compared: Mapping[str, Any],
    samples: Mapping[str, Sample],
    regions: Mapping[str, Region],
    observables: Mapping[str, Observable],
    header: Mapping[str, Any],
) -> dict[str, Any]:
    """Collect what the figure shows.

    Parameters
    ----------
    compared
        File of the rule ``compare_estimates``.
    samples, regions, observables
        Definitions, for labels.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    """
    sample = compared["sample"]

    def axis(region: str) -> str:
        item = observables[regions[region].choose_observable(compared["observable"])]
        return f"{item.label} ({item.unit})" if item.unit else item.label

    return {
        "header": dict(header),
        "sample": samples[sample].label or sample,
        "panels": [
            {"region": regions[name].label or name, "axis": axis(name), **item}
            for name, item in compared["regions"].items()
        ],
    }


@house_style()
def estimate_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the estimates of each region beside each other."""
    panels = numbers["panels"]
    figure = new_figure(_WIDTH * len(panels), _HEIGHT)
    row = [figure.add_subplot(1, len(panels), i + 1) for i in range(len(panels))]
    inch_margins(figure, left=0.8, right=0.2, bottom=0.6, top=0.5)
    figure.subplots_adjust(wspace=0.3)
    for axes, panel in zip(row, panels, strict=True):
        _draw_panel(axes, panel)
    row[0].set_ylabel(f"{numbers['sample']}, events")
    add_header(row[0], row[-1], numbers["header"], "")
    return figure


def _draw_panel(axes: Axes, panel: Mapping[str, Any]) -> None:
    edges = np.asarray(panel["edges"])
    shown = {"used": panel["used"], **panel["others"]}
    step = 0.8 / len(shown)
    for i, (name, item) in enumerate(shown.items()):
        place = edges[:-1] + np.diff(edges) * (0.5 + step * (i - 0.5 * (len(shown) - 1)))
        axes.errorbar(
            place, item["values"], yerr=item["sigma"], fmt="os^Dv"[i % 5], ms=4,
            color=CYCLE[i % len(CYCLE)], label=name.replace("_", " "),
        )  # fmt: skip
    axes.axhline(0.0, color="0.6", lw=0.8)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel(panel["axis"])
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.35 * (high - low))  # the legend has room above
    axes.legend(loc="upper right", fontsize=8, title=panel["region"])
