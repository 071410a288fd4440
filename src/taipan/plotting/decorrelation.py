"""The score in control regions: data, simulation and their ratio; tails and fresh adversaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taipan.config.sections.regions import Region
from taipan.plotting.stack import mark_outside
from taipan.plotting.style import CYCLE, add_header, house_style, inch_margins, new_figure

_RATIO_LIMITS = (0.0, 2.0)
_NOT_SUBTRACTED = (
    "“Data”: nothing is estimated in this region; what simulation lacks is in the data."
)


def decorrelation_numbers(
    record: Mapping[str, Any], regions: Mapping[str, Region], header: Mapping[str, Any]
) -> dict[str, Any]:
    """Collect what the figures show.

    Parameters
    ----------
    record
        Of the rule `check_decorrelation` (``docs/outputs.md``).
    regions
        Definitions, for their labels.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``scores`` (network → region → histograms) and ``tails`` (network → region → ratios and
        fresh adversary), each with ``header`` and the regions' ``labels``.
    """
    labels = {
        name: {
            "label": regions[name].label or name,
            "subtracted": item["subtracted"],
            "simulated_share": item["simulated_share"],
        }
        for name, item in record["regions"].items()
    }
    networks = record["networks"]
    return {
        "scores": {
            "header": dict(header),
            "regions": labels,
            "networks": {
                label: {name: region["score"] for name, region in item["regions"].items()}
                for label, item in networks.items()
            },
        },
        "tails": {
            "header": dict(header),
            "regions": labels,
            "networks": {
                label: {
                    name: {"tails": region["tails"], "adversary": region["adversary"]}
                    for name, region in item["regions"].items()
                }
                for label, item in networks.items()
            },
        },
    }


@house_style()
def region_scores_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the score of data and simulation with their ratio: a row a network, a column a region.

    Parameters
    ----------
    numbers
        Of :func:`decorrelation_numbers`.
    """
    shown = numbers["scores"]
    names, networks = list(shown["regions"]), shown["networks"]
    rows, columns = len(networks), len(names)
    figure = new_figure(1.0 + 3.4 * columns, 0.9 + 3.9 * rows)
    margins = inch_margins(figure, 0.7, 0.3, 0.55, 0.35)
    outer = figure.add_gridspec(rows, columns, hspace=0.3, wspace=0.28, **margins)
    subtracted = {region["subtracted"] for region in shown["regions"].values()}
    if subtracted == {True, False}:
        figure.text(0.01, 0.06 / figure.get_figheight(), _NOT_SUBTRACTED, size=9)
    corners: list[Axes] = []
    for row, (label, found) in enumerate(networks.items()):
        for column, name in enumerate(names):
            inner = outer[row, column].subgridspec(2, 1, height_ratios=(2.4, 1.0), hspace=0.06)
            main = figure.add_subplot(inner[0])
            ratio = figure.add_subplot(inner[1], sharex=main)
            corners.append(main)
            region = shown["regions"][name]
            text = "Data − estimate" if region["subtracted"] else "Data"
            if region["simulated_share"] is not None:
                text += f" (simulation: {region['simulated_share']:.2f} × data)"
            title = region["label"] + (f" · {label}" if rows > 1 else "")
            _draw_score(main, ratio, found[name], title, text)
    add_header(corners[0], corners[columns - 1], shown["header"])
    return figure


def _draw_score(
    main: Axes, ratio: Axes, item: Mapping[str, Any], title: str, data_label: str
) -> None:
    edges = np.asarray(item["edges"])
    data, simulation = np.asarray(item["data"]), np.asarray(item["simulation"])
    sigmas = [np.asarray(item["data_sigma"]), np.asarray(item["simulation_sigma"])]
    known = simulation.sum() > 0.0 and data.sum() > 0.0
    scale = data.sum() / simulation.sum() if known else 1.0
    width, centres = np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    expected, band = scale * simulation, scale * sigmas[1]
    main.stairs(
        expected / width, edges, color=CYCLE[0], lw=1.4, label="Simulation (scaled), stat. band"
    )
    style = {"fill": True, "color": CYCLE[0], "alpha": 0.3, "lw": 0}
    main.stairs((expected + band) / width, edges, baseline=(expected - band) / width, **style)
    points = {"fmt": "o", "ms": 3, "color": "black"}
    main.errorbar(centres, data / width, yerr=sigmas[0] / width, label=data_label, **points)
    heights = np.concatenate([data, expected]) / np.tile(width, 2)
    filled = heights[heights > 0.0]
    if len(filled):
        main.set_yscale("log")
        highest = float(filled.max())
        main.set_ylim(max(0.3 * float(filled.min()), 1e-5 * highest), 100.0 * highest)
    main.set_xlim(edges[0], edges[-1])
    main.set_ylabel("Events / unit of score")
    main.tick_params(labelbottom=False)
    main.legend(title=title, loc="upper right", alignment="right", fontsize=8)
    usable = expected > 0.0
    safe = np.where(usable, expected, 1.0)
    relative = np.where(usable, band / safe, 0.0)
    ratio.stairs(1.0 + relative, edges, baseline=1.0 - relative, **style)
    ratio.axhline(1.0, color="#555555", lw=0.8)
    values = np.where(usable, data / safe, np.nan)
    ratio.errorbar(centres, values, yerr=sigmas[0] / safe, **points)
    ratio.set_ylim(*_RATIO_LIMITS)
    mark_outside(ratio, centres, values, _RATIO_LIMITS, "black")
    ratio.set_ylabel("Data / sim.")
    ratio.set_xlabel("Network score")


@house_style()
def tail_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the tail ratios at each working point and the fresh adversaries, by region.

    Parameters
    ----------
    numbers
        Of :func:`decorrelation_numbers`.
    """
    shown = numbers["tails"]
    regions, networks = shown["regions"], shown["networks"]
    points = sorted(
        {
            tail["efficiency"]
            for found in networks.values()
            for item in found.values()
            for tail in item["tails"] or ()
        },
        reverse=True,
    )
    figure = new_figure(1.2 + 2.9 * (len(points) + 1), 1.1 + 0.62 * len(regions))
    margins = inch_margins(figure, 2.1, 0.3, 0.6, 0.45)
    axes = figure.subplots(1, len(points) + 1, sharey=True, squeeze=False, gridspec_kw=margins)[0]
    for panel, efficiency in zip(axes, points, strict=False):
        found = {
            label: {
                name: (tail["ratio"], tail["sigma"])
                for name, item in network.items()
                for tail in item["tails"] or ()
                if tail["efficiency"] == efficiency and tail["ratio"] is not None
            }
            for label, network in networks.items()
        }
        _draw_points(panel, found, list(regions), 1.0)
        panel.set_xlabel(f"Data / sim. above {100.0 * efficiency:g} % signal")
    adversaries = {
        label: {
            name: (item["adversary"]["auc"], item["adversary"]["sigma"])
            for name, item in network.items()
            if item["adversary"] is not None
        }
        for label, network in networks.items()
    }
    _draw_points(axes[-1], adversaries, list(regions), 0.5)
    axes[-1].set_xlabel("AUC of a fresh adversary")
    axes[0].set_yticks(range(len(regions)), [item["label"] for item in regions.values()])
    axes[0].set_ylim(len(regions) - 0.5, -0.5)
    if len(networks) > 1:
        axes[-1].legend(fontsize=8)
    add_header(axes[0], axes[-1], shown["header"])
    return figure


def _draw_points(
    axes: Axes,
    networks: Mapping[str, Mapping[str, tuple[float, float]]],
    regions: list[str],
    agreement: float,
) -> None:
    axes.axvline(agreement, color="#555555", lw=0.8)
    for i, (label, found) in enumerate(networks.items()):
        offset = 0.2 * (i - 0.5 * (len(networks) - 1))
        places = [regions.index(name) + offset for name in found]
        values = [value for value, _ in found.values()]
        errors = [sigma for _, sigma in found.values()]
        axes.errorbar(
            values, places, xerr=errors, fmt="o", ms=4, color=CYCLE[i % len(CYCLE)], label=label
        )
