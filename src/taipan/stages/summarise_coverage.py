"""Fit the pseudo-data of every batch and measure the coverage of the intervals."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.coverage.experiments import fit_experiments
from taipan.coverage.score import summarise_experiments
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.inference import coverage_figure
from taipan.plotting.style import save_figure

logger = logging.getLogger("taipan.coverage")

FIGURES = (Figure("coverage_{observable}", "Fit", "coverage"),)


def summarise_coverage(
    workspace: str, pseudo_data: Sequence[str], report: str, figures: FigureFiles
) -> None:
    """Write the report of the coverage and its figure.

    Parameters
    ----------
    workspace
        JSON file of the rule ``build_workspace``.
    pseudo_data
        JSON files of the rule ``draw_pseudo_data``.
    report
        JSON file to write.
    figures
        Files of the figure.

    Raises
    ------
    TaipanError
        If more than 1 % of the fits fail.
    """
    fitted = fit_experiments(read_json(workspace), [read_json(path) for path in pseudo_data])
    truth, mu_hat, sigma = fitted.truth, fitted.mu_hat, fitted.sigma
    found: dict[str, Any] = {"failed": fitted.failed}
    found |= summarise_experiments(truth, mu_hat, sigma, fitted.intervals)
    for item in found["intervals"]:
        level = logging.INFO if item["passed"] else logging.ERROR
        logger.log(
            level,
            "%.4g %%: found %.2f %% (%+.1f binomial σ)",
            100 * item["level"],
            100 * item["fraction"],
            item["deviation"],
        )
    pulls = ((mu_hat - truth) / sigma).tolist()
    numbers = {"report": found, "pulls": pulls}
    save_figure(coverage_figure(numbers), figures["coverage"], numbers)
    write_json(report, found)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(summarise_coverage)
