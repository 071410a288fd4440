"""Draw the trials of the search and the importance of the hyperparameters."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.style import save_figure
from taipan.plotting.tuning import bar_figure, trials_figure, tuning_numbers

FIGURES = (
    Figure("tuning_trials", "Training", "tuning"),
    Figure("tuning_importance", "Training", "tuning"),
)


def plot_tuning(trials: str, best: str, header: dict[str, Any], figures: FigureFiles) -> None:
    """Write the figures `tuning_trials` and `tuning_importance`.

    Parameters
    ----------
    trials, best
        CSV and JSON file of the rule ``tune``.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    figures
        Files of each figure.
    """
    numbers = tuning_numbers(trials, read_json(best), header)
    save_figure(trials_figure(numbers), figures["tuning_trials"], numbers)
    label = "Share of the variance of the objective"
    figure = bar_figure(numbers["importance"], header, label, "Hyperparameters")
    save_figure(figure, figures["tuning_importance"], numbers)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(plot_tuning)
