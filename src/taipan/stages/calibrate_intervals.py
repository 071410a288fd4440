"""Learn from pseudo-experiments how intervals of the signal strength are calibrated."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from taipan.atomic import read_json, write_json
from taipan.coverage.calibrate import judge_calibration, learn_calibration
from taipan.coverage.experiments import fit_experiments, join_batches, stack_counts
from taipan.inference import compile_model

logger = logging.getLogger("taipan.calibrate_intervals")


def calibrate_intervals(workspace: str, pseudo_data: Sequence[str], calibration: str) -> None:
    """Write the calibration, and what intervals are worth with and without it.

    Parameters
    ----------
    workspace
        JSON file of the rule ``build_workspace``.
    pseudo_data
        JSON files of the rule ``draw_pseudo_data``.
    calibration
        JSON file to write.

    Raises
    ------
    TaipanError
        If more than 1 % of the fits fail, or there are too few pseudo-experiments.
    """
    batches = [read_json(path) for path in pseudo_data]
    model = compile_model(read_json(workspace))
    data = stack_counts(model, *join_batches(batches))
    truth = np.array([item["mu"] for batch in batches for item in batch["truths"]])
    found = fit_experiments(model, data, truth)
    values = (found.truth, found.mu_hat, *found.intervals[0])
    judged = judge_calibration(*values)
    for name, item in judged.items():
        numbers = (100 * item["coverage"], item["width"], item["score"], item["score_error"])
        logger.info("%s: coverage %.2f %%, mean width %.3f, score %.3f ± %.3f", name, *numbers)
    write_json(calibration, {**learn_calibration(*values).to_dict(), "judged": judged})


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(calibrate_intervals)
