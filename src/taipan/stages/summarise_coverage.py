"""Fit the pseudo-data of every batch and measure the coverage of the intervals."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from taipan.atomic import read_json, write_json
from taipan.coverage.score import RISES, summarise_experiments
from taipan.errors import TaipanError
from taipan.inference import compile_model
from taipan.inference.toys import fit_pseudo_data
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.inference import coverage_figure
from taipan.plotting.style import save_figure

logger = logging.getLogger("taipan.coverage")

# Part of the pseudo-experiments that may fail to fit before the coverage means nothing.
LARGEST_LOSS = 0.01

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
    model = compile_model(read_json(workspace))
    batches = [read_json(path) for path in pseudo_data]
    nominal = model.expected_auxiliary(model.nominal(1.0))
    data = np.array(
        [
            np.concatenate([*(counts[region] for region in model.regions), nominal])
            for batch in batches
            for counts in batch["counts"]
        ],
        dtype=np.float64,
    )
    truth = np.array([item["mu"] for batch in batches for item in batch["truths"]])
    fits = fit_pseudo_data(model, data, model.nominal(1.0), levels=RISES)
    good = np.logical_and.reduce([np.isfinite(item["low"]) for item in fits])
    if good.mean() < 1.0 - LARGEST_LOSS:
        raise TaipanError(f"coverage: {(~good).sum()} of {len(good)} fits failed")
    mu_hat, sigma = fits[0]["mu_hat"][good], fits[0]["sigma"][good]
    ends = [(item["low"][good], item["high"][good]) for item in fits]
    found: dict[str, Any] = {"failed": int((~good).sum())}
    found |= summarise_experiments(truth[good], mu_hat, sigma, ends)
    for item in found["intervals"]:
        level = logging.INFO if item["passed"] else logging.ERROR
        logger.log(
            level,
            "%.4g %%: found %.2f %% (%+.1f binomial σ)",
            100 * item["level"],
            100 * item["fraction"],
            item["deviation"],
        )
    pulls = ((mu_hat - truth[good]) / sigma).tolist()
    numbers = {"report": found, "pulls": pulls}
    save_figure(coverage_figure(numbers), figures["coverage"], numbers)
    write_json(report, found)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(summarise_coverage)
