"""Unfolded spectra with their correlations."""

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
    new_figure,
    with_unit,
)

_WIDTH, _HEIGHT = 8.6, 4.2  # inches of a spectrum


def spectrum_numbers(result: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the unfolded spectra of a fit.

    Parameters
    ----------
    result
        File of a fit with `unfolding` (``docs/fit.md``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``spectra``: name, quantity, edges, units, values, sigma, predicted, correlation (n, n) and
        the text of the test, of the data or of the expected result of a blinded fit.
    """
    kind = "expected" if result["observed"] is None else "observed"
    spectra = []
    for name, item in result["unfolding"].items():
        found = item[kind]
        covariance = np.asarray(found["covariance"])
        sigma = np.asarray(found["sigma"])
        test = found["bottom_line"]
        unfolded, counted = (
            f"{test[key]['chi2']:.1f}/{test[key]['degrees']}" for key in ("unfolded", "counted")
        )
        spectra.append(
            {
                "name": name,
                "label": with_unit(item.get("label", item["quantity"]), item["unit"]),
                "edges": list(item["edges"]),
                "unit": item["unit"],
                "value_unit": item["predicted_unit"],
                **{key: found[key] for key in ("values", "sigma", "predicted")},
                "correlation": (covariance / np.outer(sigma, sigma)).tolist(),
                "test": f"prediction: χ² {unfolded} unfolded, {counted} counted",
            }
        )
    return {"header": dict(header), "kind": kind, "spectra": spectra}


@house_style()
def spectrum_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw each spectrum over its prediction, and the correlations of its bins beside it."""
    spectra = numbers["spectra"]
    figure = new_figure(_WIDTH, _HEIGHT * len(spectra))
    grid = figure.add_gridspec(
        len(spectra), 2, wspace=0.35, hspace=0.4, **inch_margins(figure, 0.8, 0.8, 0.6, 0.5)
    )
    for row, spectrum in enumerate(spectra):
        left, right = figure.add_subplot(grid[row, 0]), figure.add_subplot(grid[row, 1])
        _draw_spectrum(left, spectrum)
        _draw_correlation(figure, right, spectrum)
        add_header(left, right, numbers["header"], f"{spectrum['name']}, {numbers['kind']}")
    return figure


def _draw_spectrum(axes: Axes, spectrum: Mapping[str, Any]) -> None:
    edges = np.asarray(spectrum["edges"])
    # a cross section is drawn by width, a strength as it is
    width = np.diff(edges) if spectrum["value_unit"] else np.ones(len(edges) - 1)
    centre = (edges[1:] + edges[:-1]) / 2.0
    predicted = np.asarray(spectrum["predicted"]) / width
    axes.stairs(predicted, edges, baseline=None, color=CYCLE[0], label="prediction")
    axes.errorbar(
        centre,
        np.asarray(spectrum["values"]) / width,
        yerr=np.asarray(spectrum["sigma"]) / width,
        xerr=np.diff(edges) / 2.0,
        fmt="o",
        color="black",
        ms=4,
        label="unfolded",
    )
    unit = spectrum["value_unit"]
    axes.set_xlabel(spectrum["label"])
    per_width = f"{unit} / {spectrum['unit']}" if spectrum.get("unit") else unit
    axes.set_ylabel(f"Cross section / width ({per_width})" if unit else "Over the prediction")
    low, high = axes.get_ylim()
    # room for the legend above and for the test below
    axes.set_ylim(low - 0.15 * (high - low), high + 0.35 * (high - low))
    axes.text(0.03, 0.03, spectrum["test"], transform=axes.transAxes, size=7.5)
    axes.legend(loc="upper right", ncol=2, fontsize=8)


def _draw_correlation(figure: Figure, axes: Axes, spectrum: Mapping[str, Any]) -> None:
    matrix = np.asarray(spectrum["correlation"])
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1.0, vmax=1.0, origin="lower")
    for (row, column), value in np.ndenumerate(matrix):
        text = f"{100 * value:.0f}".replace("-", "−")
        colour = "white" if abs(value) > 0.6 else "black"
        axes.text(column, row, text, size=6.5, ha="center", va="center", color=colour)
    axes.set_xlabel("Bin")
    axes.set_ylabel("Bin")
    axes.set_xticks(range(len(matrix)))
    axes.set_yticks(range(len(matrix)))
    axes.minorticks_off()
    figure.colorbar(image, cax=axes.inset_axes((1.03, 0.0, 0.04, 1.0)), label="Correlation")
