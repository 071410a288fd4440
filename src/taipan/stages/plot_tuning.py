"""Draw the trials of the search and the importance of the hyperparameters."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json
from taipan.plotting.style import save_figure
from taipan.plotting.tuning import bar_figure, trials_figure, tuning_numbers

FIGURES = ("tuning_trials", "tuning_importance")


def plot_tuning(
    trials: str, best: str, header: dict[str, Any], outputs: dict[str, dict[str, str]]
) -> None:
    """Write the figures `tuning_trials` and `tuning_importance`.

    `outputs` maps each figure to the paths of its ``pdf``, ``png`` and ``json``.
    """
    numbers = tuning_numbers(trials, read_json(best), header)
    save_figure(trials_figure(numbers), outputs["tuning_trials"], numbers)
    label = "Share of the variance of the objective"
    figure = bar_figure(numbers["importance"], header, label, "Hyperparameters")
    save_figure(figure, outputs["tuning_importance"], numbers)
