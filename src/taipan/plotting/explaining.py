"""What a network looks at: importances, attributions, active units, pruning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from taipan.plotting.style import (
    CYCLE,
    add_header,
    house_style,
    inch_margins,
    new_figure,
    room_for_names,
)

_COLOURS = {"background": "#3f66c9", "signal": "#c91f37"}


def _paired_bars(
    rows: Mapping[str, Mapping[str, tuple[float, float]]],
    colours: Mapping[str, str],
    header: Mapping[str, Any],
    label: str,
    title: str,
) -> Figure:
    """Draw several horizontal bars with errors for each name, in the order given from the top."""
    names, kinds = list(rows)[::-1], list(colours)
    room = room_for_names(names, 1.3)
    figure = new_figure(5.1 + room, 1.6 + 0.3 * len(names))
    grid = figure.add_gridspec(1, 1, **inch_margins(figure, room, 0.2, 0.6, 0.4))
    axes = figure.add_subplot(grid[0])
    height = 0.8 / len(kinds)
    for number, kind in enumerate(kinds):
        places = np.arange(len(names)) + 0.4 - (number + 0.5) * height
        values = np.array([rows[name][kind] for name in names])
        axes.barh(
            places,
            values[:, 0],
            height,
            xerr=values[:, 1],
            color=colours[kind],
            alpha=0.6,
            label=kind,
            error_kw={"lw": 0.9},
        )
    axes.axvline(0.0, color="black", lw=0.7)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(label)
    axes.legend(loc="lower right")
    add_header(axes, axes, header, title)
    return figure


@house_style()
def importances_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the loss of AUC when a feature is shuffled, and when it is exchanged among like events.

    Parameters
    ----------
    numbers
        ``header``; ``importances``: feature → ``shuffled`` and ``conditional``, value and error.
    """
    found = numbers["importances"]
    ordered = sorted(found, key=lambda name: -found[name]["conditional"][0])
    colours = {"shuffled": CYCLE[4], "conditional": "#3f66c9"}
    rows = {name: {kind: tuple(found[name][kind]) for kind in colours} for name in ordered}
    return _paired_bars(rows, colours, numbers["header"], "Loss of AUC", "Inputs")


@house_style()
def attributions_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the mean size of what each feature adds to the score, of signal and background.

    Parameters
    ----------
    numbers
        ``header``; ``attributions``: feature → class → mean size and its error.
    """
    found = numbers["attributions"]
    ordered = sorted(found, key=lambda name: -sum(item[0] for item in found[name].values()))
    rows = {name: {kind: tuple(found[name][kind]) for kind in _COLOURS} for name in ordered}
    label = "Mean size of what is added to the score"
    return _paired_bars(rows, _COLOURS, numbers["header"], label, "Integrated gradients")


@house_style()
def activity_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the activity of the hidden units of each layer, the most active first.

    Parameters
    ----------
    numbers
        ``header``; ``quiet``, the activity below which a unit is quiet; ``layers``: for each layer
        the activity of its units in ``signal`` and ``background``.
    """
    layers = numbers["layers"]
    figure = new_figure(2.2 + 2.4 * len(layers), 3.6)
    grid = figure.add_gridspec(
        1, len(layers), wspace=0.06, **inch_margins(figure, 0.8, 0.2, 0.6, 0.4)
    )
    every = [figure.add_subplot(grid[i]) for i in range(len(layers))]
    for number, (axes, layer) in enumerate(zip(every, layers, strict=True)):
        top = np.maximum(layer["signal"], layer["background"])
        order = np.argsort(-top)
        for kind, colour in _COLOURS.items():
            axes.step(np.arange(len(order)), np.array(layer[kind])[order], color=colour, label=kind)
        axes.axhline(numbers["quiet"], color="black", lw=0.7, ls="--")
        axes.set_ylim(0.0, 1.08)
        axes.set_xlabel(f"Units of layer {number + 1}")
        if number:
            axes.set_yticklabels([])
    every[0].set_ylabel("Activity")
    every[-1].legend(loc="upper right")
    add_header(every[0], every[-1], numbers["header"], "Hidden units")
    return figure


@house_style()
def pruning_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw what is lost when quiet units are removed: AUC, and statistical uncertainty.

    Parameters
    ----------
    numbers
        ``header``, ``sigma`` of the whole network, ``suggested`` threshold or None, and ``tried``:
        ``threshold``, ``removed``, ``auc_loss`` and ``sigma``.
    """
    tried = numbers["tried"]
    removed = np.array([100.0 * item["removed"] for item in tried])
    figure = new_figure(6.0, 4.8)
    grid = figure.add_gridspec(2, 1, hspace=0.06, **inch_margins(figure, 0.95, 0.2, 0.6, 0.4))
    upper, lower = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    loss = np.array([item["auc_loss"] for item in tried])
    upper.errorbar(removed, loss[:, 0], loss[:, 1], fmt="o-", color="#3f66c9", ms=4, lw=0.9)
    change = [100.0 * (item["sigma"] / numbers["sigma"] - 1.0) for item in tried]
    lower.plot(removed, change, "o-", color="#3f66c9", ms=4, lw=0.9)
    for axes in (upper, lower):
        axes.axhline(0.0, color="black", lw=0.7)
        for place, item in zip(removed, tried, strict=True):
            if item["threshold"] == numbers["suggested"]:
                axes.axvline(place, color="#c91f37", lw=0.9, ls="--", label="Suggested")
    upper.set_ylabel("Loss of AUC")
    upper.set_xticklabels([])
    lower.set_ylabel(r"Change of stat. $\sigma(\mu)$ (%)")
    lower.set_xlabel("Hidden units removed (%)")
    if numbers["suggested"] is not None:
        upper.legend(loc="upper left")
    add_header(upper, upper, numbers["header"], "Pruning")
    return figure
