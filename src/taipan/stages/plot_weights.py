"""Draw the weights: their distribution, where the negative ones are, closure of the features."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json
from taipan.plotting.style import save_figure
from taipan.plotting.weights import FIGURES, weight_numbers


def plot_weights(
    diagnostics: str,
    header: dict[str, Any],
    units: dict[str, str],
    outputs: dict[str, dict[str, str]],
) -> None:
    """Write the figures of the diagnostics of the weights.

    `units` are those of the quantities by name, `outputs` maps each figure to the
    paths of its ``pdf``, ``png`` and ``json``.
    """
    numbers = weight_numbers(read_json(diagnostics), header, units)
    for name, draw in FIGURES.items():
        save_figure(draw(numbers), outputs[name], numbers)
