"""Draw the cutflow of every dataset."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.cutflow import cutflow_figure, cutflow_numbers
from taipan.plotting.style import save_figure

FIGURES = (Figure("cutflow", "Selection"),)


def plot_cutflow(
    cutflow: str, normalisation: str, header: dict[str, Any], figures: FigureFiles
) -> None:
    """Write ``cutflow`` as PDF, PNG and JSON.

    Parameters
    ----------
    cutflow, normalisation
        JSON files of the rule ``normalise``.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    figures
        Files of the figure.
    """
    numbers = cutflow_numbers(read_json(cutflow), read_json(normalisation), header)
    save_figure(cutflow_figure(numbers), figures["cutflow"], numbers)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(plot_cutflow)
