"""Draw the contours of a fit with several parameters of interest."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.contours import contour_figure, contour_numbers
from taipan.plotting.style import save_figure

FIGURES = (Figure("contours_{observable}", "Fit", "contours"),)


def plot_contours(result: str, header: dict[str, Any], figures: FigureFiles) -> None:
    """Write the figure of the table above.

    Parameters
    ----------
    result
        JSON file of the rule ``fit``, of several parameters of interest.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    figures
        Files of the figure.
    """
    numbers = contour_numbers(read_json(result), header)
    save_figure(contour_figure(numbers), figures["contours"], numbers)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(plot_contours)
