"""Draw the weights: their distribution, where the negative ones are, closure of the features."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.style import save_figure
from taipan.plotting.weights import (
    closure_figure,
    distribution_figure,
    fraction_figure,
    weight_numbers,
)

FIGURES = (
    Figure("weights", "Weights"),
    Figure("negative_fraction", "Weights", "weights"),
    Figure("weight_closure", "Weights", "weights"),
)


def plot_weights(
    diagnostics: str,
    header: dict[str, Any],
    units: dict[str, str],
    figures: FigureFiles,
) -> None:
    """Write the figures of the diagnostics of the weights.

    `units` are those of the quantities by name.

    Parameters
    ----------
    diagnostics
        JSON file of the rule ``check_weights``.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    units
        Quantity → its unit.
    figures
        Files of each figure.
    """
    numbers = weight_numbers(read_json(diagnostics), header, units)
    save_figure(distribution_figure(numbers), figures["weights"], numbers)
    save_figure(fraction_figure(numbers), figures["negative_fraction"], numbers)
    save_figure(closure_figure(numbers), figures["weight_closure"], numbers)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(plot_weights)
