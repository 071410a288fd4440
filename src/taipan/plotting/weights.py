"""Signed event weights: their distribution, where the negative ones are, closure of features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from taipan.plotting.style import (
    CYCLE,
    add_header,
    house_style,
    inch_margins,
    new_figure,
    with_unit,
)

Array = NDArray[Any]

_COLUMNS = 5
_RATIO_LIMITS = (0.0, 2.0)
_METHODS = {
    "signed_bounded": "signed",
    "refine": "refined",
    "resample": "resampled",
    "cell": "resampled in cells",
    "abs": "absolute values",
    "drop": "negative ones dropped",
}


def weight_numbers(
    diagnostics: Mapping[str, Any],
    header: Mapping[str, Any],
    units: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Collect what the figures of the weights show.

    Parameters
    ----------
    diagnostics
        Of the rule `check_weights` (``docs/negative_weights.md``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    units
        Quantity → unit, empty if it has none.

    Returns
    -------
    dict
        ``method`` and ``samples``: those with negative weights, their histograms.
    """
    return {
        "header": dict(header),
        "units": dict(units or {}),
        "method": diagnostics["method"],
        "samples": dict(diagnostics["distributions"]),
    }


@house_style()
def distribution_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the number of events against the weight, before and after, a panel a sample.

    Parameters
    ----------
    numbers
        Of :func:`weight_numbers`.
    """
    samples = numbers["samples"]
    figure, panels = _panels(numbers, list(samples), 4.0, columns=3)
    for (name, found), axes in zip(samples.items(), panels, strict=True):
        item = found["weights"]
        axes.stairs(item["before"], item["edges"], color=CYCLE[0], lw=1.4, label="Signed")
        if item["after"] != item["before"]:
            text = f"Training: {_METHODS[numbers['method']]}"
            axes.stairs(item["after"], item["edges"], color=CYCLE[2], ls="--", label=text)
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
        axes.set_xlabel("Event weight")
        axes.set_ylabel("Events")
        share = f"{name}, {100.0 * found['negative_fraction']:.1f} % negative"
        axes.legend(loc="upper center", title=share)
        axes.set_ylim(top=20.0 * axes.get_ylim()[1])  # room for the legend
    return figure


@house_style()
def fraction_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the fraction of negative events against the score and every feature.

    Parameters
    ----------
    numbers
        Of :func:`weight_numbers`.
    """

    def fraction(item: Mapping[str, Any]) -> tuple[Array, Array]:
        events = np.maximum(np.asarray(item["events"], dtype=float), 1.0)
        found = np.asarray(item["negative_fraction"])
        return found, np.sqrt(found * (1.0 - found) / events)

    figure, panels = _draw_samples(numbers, fraction, "Negative fraction")
    for axes in panels:
        axes.set_ylim(bottom=0.0)
    return figure


@house_style()
def closure_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw Σw in the training over the signed Σw, against the score and every feature.

    The error bars are those of the change of the weights alone: the events are the same.

    Parameters
    ----------
    numbers
        Of :func:`weight_numbers`.
    """

    def ratio(item: Mapping[str, Any]) -> tuple[Array, Array]:
        before, after = np.asarray(item["sumw_before"]), np.asarray(item["sumw_after"])
        safe = np.where(before > 0.0, before, np.nan)
        return after / safe, np.sqrt(item["sumw2_change"]) / safe

    figure, panels = _draw_samples(numbers, ratio, "Σw training / signed")
    for axes in panels:
        axes.axhline(1.0, color="black", lw=0.7)
        axes.set_ylim(*_RATIO_LIMITS)
    return figure


def _draw_samples(
    numbers: Mapping[str, Any],
    measure: Callable[[Mapping[str, Any]], tuple[Array, Array]],
    label: str,
) -> tuple[Figure, list[Axes]]:
    """Draw a panel for each quantity: values and errors of every sample in its bins."""
    samples = numbers["samples"]
    names = _quantities(numbers)
    figure, panels = _panels(numbers, names, 2.6)
    for name, axes in zip(names, panels, strict=True):
        for index, (sample, found) in enumerate(samples.items()):
            item = found["quantities"][name]
            values, errors = measure(item)
            _points(axes, item["edges"], values, errors, CYCLE[index % len(CYCLE)], sample)
        axes.set_xlabel(_with_unit(name, numbers))
    _label_first(panels, label, len(samples))
    return figure, panels


def _quantities(numbers: Mapping[str, Any]) -> list[str]:
    names = list(
        dict.fromkeys(n for item in numbers["samples"].values() for n in item["quantities"])
    )
    return sorted(names, key=lambda name: name != "score")


def _with_unit(name: str, numbers: Mapping[str, Any]) -> str:
    if name == "score":
        return "Score"
    return with_unit(name, numbers["units"].get(name, ""))


def _panels(
    numbers: Mapping[str, Any], names: list[str], size: float, columns: int = _COLUMNS
) -> tuple[Figure, list[Axes]]:
    across = max(1, min(columns, len(names)))
    down = max(1, -(-len(names) // across))
    figure = new_figure(max(size * across, 5.0), size * down + 0.6)
    margins = inch_margins(figure, 0.75, 0.2, 0.6, 0.5)
    grid = figure.add_gridspec(down, across, wspace=0.3, hspace=0.42, **margins)
    axes = [figure.add_subplot(grid[i // across, i % across]) for i in range(max(1, len(names)))]
    add_header(axes[0], axes[min(across, len(axes)) - 1], numbers["header"])
    if not names:
        axes[0].text(0.5, 0.5, "No sample has negative weights", ha="center", va="center")
        axes[0].set_axis_off()
    return figure, axes[: len(names)]


def _label_first(panels: list[Axes], text: str, samples: int) -> None:
    for index, axes in enumerate(panels):
        if index % _COLUMNS == 0:
            axes.set_ylabel(text)
    if panels and samples:
        panels[0].legend(loc="best")


def _points(axes: Axes, edges: Any, values: Any, errors: Any, colour: str, label: str) -> None:
    """Draw points at the middle of bins; the outermost may be far wider than the rest."""
    places = np.asarray(edges, dtype=float)
    middle = 0.5 * (places[1:] + places[:-1]) if len(places) > 1 else places
    axes.errorbar(middle, values, yerr=errors, fmt="o", color=colour, ms=3, lw=0.9, label=label)
