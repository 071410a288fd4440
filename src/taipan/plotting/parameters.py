"""Parameters of a fit: pulls, constraints and correlations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from taipan.plotting.fit import fitted_result
from taipan.plotting.style import (
    add_header,
    find_unit,
    house_style,
    inch_margins,
    new_figure,
    room_for_names,
    with_unit,
    write_parameter,
)

# Parameters of the Σw² of the bins, as taipan.likelihood names them.
BIN_PARAMETERS = "staterror_"

_GREEN, _YELLOW = "#b5e0b0", "#fdf3b4"
_ROW = 0.24  # inches


def pull_numbers(result: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """Collect pulls and constraints of a fit.

    Parameters
    ----------
    result
        File of a fit (``docs/fit.md``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``systematic`` and ``statistical``: name, pull and constraint of the constrained
        parameters; ``free``: name, value, sigma and unit of the others. Names in alphabetical
        order, bins in that of the fit.
    """
    kind, fitted = fitted_result(result)
    parameters = fitted["parameters"]
    constrained = [
        {key: item[key] for key in ("name", "pull", "constraint", "at_bound")}
        for item in parameters
        if item["constrained"]
    ]
    return {
        "header": dict(header),
        "observable": result["observable"],
        "kind": kind,
        "systematic": sorted(
            (item for item in constrained if not item["name"].startswith(BIN_PARAMETERS)),
            key=lambda item: str(item["name"]),
        ),
        "statistical": [item for item in constrained if item["name"].startswith(BIN_PARAMETERS)],
        "free": [
            {
                **{key: item[key] for key in ("name", "value", "sigma", "at_bound")},
                **({"unit": unit} if (unit := find_unit(result, item["name"])) else {}),
            }
            for item in parameters
            if not item["constrained"] and item["sigma"] > 0.0
        ],
    }


def _write_free(item: Mapping[str, Any]) -> str:
    value = f"{item['name']} = {item['value']:.3f} ± {item['sigma']:.3f}"
    unit = f" {item['unit']}" if item.get("unit") else ""
    return value + unit + (" (at its bound)" if item["at_bound"] else "")


@house_style()
def pull_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw pulls with constraints: nuisance parameters left, statistics of the bins right.

    Parameters
    ----------
    numbers
        Of :func:`pull_numbers`.
    """
    columns = [numbers[kind] for kind in ("systematic", "statistical") if numbers[kind]]
    rows = max([len(column) for column in columns], default=1)
    free = numbers["free"]
    figure = new_figure(5.2 * max(len(columns), 1), _ROW * (rows + 1) + 0.2 * len(free) + 1.35)
    grid = figure.add_gridspec(
        1,
        max(len(columns), 1),
        wspace=0.75,
        **inch_margins(figure, 1.9, 0.2, 0.7 + 0.2 * len(free), 0.4),
    )
    axes = [figure.add_subplot(cell) for cell in grid]
    for place, column in zip(axes, columns, strict=False):
        _draw_pulls(place, column, rows)
    text = "\n".join(map(_write_free, free)).replace("-", "−")
    figure.text(0.02, 0.12 / figure.get_figheight(), text, va="bottom", linespacing=1.3)
    title = numbers["observable"] + (" (expected)" if numbers["kind"] == "expected" else "")
    add_header(axes[0], axes[-1], numbers["header"], title)
    return figure


def _draw_pulls(axes: Axes, items: list[dict[str, Any]], rows: int) -> None:
    axes.axvspan(-2, 2, color=_YELLOW, lw=0)
    axes.axvspan(-1, 1, color=_GREEN, lw=0)
    axes.axvline(0.0, color="black", lw=0.6, ls=":")
    places = np.arange(len(items))
    pulls = [item["pull"] for item in items]
    axes.errorbar(
        pulls,
        places,
        xerr=[item["constraint"] for item in items],
        fmt="o",
        color="black",
        ms=4,
        capsize=2,
        lw=1.0,
    )
    reach = max([2.2, *(abs(item["pull"]) + item["constraint"] + 0.2 for item in items)])
    axes.set_xlim(-reach, reach)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_yticks(places, [item["name"] for item in items])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(r"$(\hat{\theta} - \theta_0) / \Delta\theta$")


def correlation_numbers(result: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the correlations of the parameters other than the statistics of the bins.

    Parameters
    ----------
    result
        File of a fit (``docs/fit.md``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``names`` (n) with the parameter of interest first, ``matrix`` (n, n).
    """
    kind, fitted = fitted_result(result)
    found = fitted["correlation"]["names"]
    poi = result["poi"]
    names = sorted(
        (name for name in found if not name.startswith(BIN_PARAMETERS)),
        key=lambda name: (name != poi, name),
    )
    chosen = [found.index(name) for name in names]
    matrix = np.asarray(fitted["correlation"]["matrix"], dtype=np.float64)
    return {
        "header": dict(header),
        "observable": result["observable"],
        "kind": kind,
        "names": names,
        "matrix": matrix[np.ix_(chosen, chosen)].tolist(),
    }


@house_style()
def correlation_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the correlation matrix, with the numbers in per cent.

    Parameters
    ----------
    numbers
        Of :func:`correlation_numbers`.
    """
    names, matrix = numbers["names"], np.asarray(numbers["matrix"])
    size = max(0.3 * len(names), 4.4)  # the header needs this width
    room = room_for_names(names, 0.8)
    figure = new_figure(size + room + 1.15, size + room + 0.4)
    grid = figure.add_gridspec(1, 1, **inch_margins(figure, room, 1.15, room, 0.4))
    axes = figure.add_subplot(grid[0])
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1.0, vmax=1.0, aspect="equal")
    for (row, column), value in np.ndenumerate(matrix):
        if row != column and abs(value) >= 0.005:
            axes.text(
                column,
                row,
                f"{100 * value:.0f}".replace("-", "−"),
                size=6.5,
                ha="center",
                va="center",
                color="white" if abs(value) > 0.6 else "black",
            )
    places = np.arange(len(names))
    axes.set_xticks(places, names, rotation=90)
    axes.set_yticks(places, names)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, cax=axes.inset_axes((1.02, 0.0, 0.03, 1.0)))
    bar.set_label("Correlation (%)")
    bar.set_ticks([-1.0, -0.5, 0.0, 0.5, 1.0], labels=["−100", "−50", "0", "50", "100"])
    title = numbers["observable"] + (" (expected)" if numbers["kind"] == "expected" else "")
    add_header(axes, axes, numbers["header"], title)
    return figure


def breakdown_numbers(result: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the parts of the uncertainty of the signal strength.

    Parameters
    ----------
    result
        File of a fit (``docs/fit.md``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``parts``: group → σ, the largest first; ``total``: all of it.
    """
    kind, fitted = fitted_result(result)
    parts = {name: float(size) for name, size in fitted["breakdown"].items() if name != "total"}
    return {
        "header": dict(header),
        "observable": result["observable"],
        "kind": kind,
        "poi": result["poi"],
        **({"unit": unit} if (unit := find_unit(result, result["poi"])) else {}),
        "total": float(fitted["breakdown"]["total"]),
        "parts": dict(sorted(parts.items(), key=lambda item: -item[1])),
    }


@house_style()
def breakdown_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the part of each group of systematics, and the total as a line."""
    parts, total = numbers["parts"], numbers["total"]
    figure = new_figure(6.0, 1.5 + _ROW * len(parts))
    axes = figure.add_subplot(
        figure.add_gridspec(1, 1, **inch_margins(figure, 1.5, 0.2, 0.6, 0.4))[0]
    )
    axes.barh(range(len(parts)), list(parts.values()), color="#3f66c9", alpha=0.4)
    for place, size in enumerate(parts.values()):
        axes.text(0.02 * total, place, f"{size:.3g}", va="center", size=8)
    axes.axvline(total, color="black", lw=1.0, ls="--")
    axes.set_yticks(range(len(parts)), list(parts))
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_ylim(len(parts) - 0.4, -0.6)
    axes.set_xlim(0.0, 1.1 * total)
    label = with_unit(rf"$\sigma({write_parameter(numbers['poi'])})$", numbers.get("unit", ""))
    axes.set_xlabel(f"{label} (dashed: total {total:.3g})")
    add_header(axes, axes, numbers["header"], f"{numbers['observable']}, {numbers['kind']}")
    return figure
