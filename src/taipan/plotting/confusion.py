"""Which class has the largest score for the events of each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from taipan.plotting.style import add_header, house_style, inch_margins, new_figure


def confusion_numbers(verdict: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """Average the shares of the folds; their spread is the error of the mean.

    Parameters
    ----------
    verdict
        Verdict of the overtraining gate (``docs/training.md``) on classes with names.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``classes`` (K), ``shares`` and ``sigma`` (K, K): of Σw of each class, a row, the share
        whose largest score is that of each class.
    """
    matrices = np.array([fold["confusion"] for fold in verdict["folds"]])
    return {
        "header": dict(header),
        "classes": list(verdict["folds"][0]["classes"]),
        "shares": matrices.mean(axis=0).tolist(),
        "sigma": (matrices.std(axis=0, ddof=1) / np.sqrt(len(matrices))).tolist(),
    }


@house_style()
def confusion_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the shares as a matrix, a row a class, with their numbers in the cells.

    Parameters
    ----------
    numbers
        Of :func:`confusion_numbers`.
    """
    names, shares = numbers["classes"], np.asarray(numbers["shares"])
    sigma = np.asarray(numbers["sigma"])
    size = 1.6 + 1.1 * len(names)
    figure = new_figure(size + 0.8, size)
    grid = figure.add_gridspec(1, 1, **inch_margins(figure, 1.3, 0.3, 0.8, 0.4))
    axes = figure.add_subplot(grid[0])
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        text = f"{share:.3f}\n± {sigma[row, column]:.3f}"
        colour = "white" if share > 0.6 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.set_xlabel("Class of the largest score")
    axes.set_ylabel("Class of the event")
    add_header(axes, axes, numbers["header"])
    return figure
