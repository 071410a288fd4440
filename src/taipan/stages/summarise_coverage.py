"""Fit the pseudo-data of every batch and measure the coverage of the intervals."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.atomic import read_json, write_json
from taipan.coverage.effects import LEAST_P_VALUE, Effect, measure_effects
from taipan.coverage.experiments import fit_experiments, join_batches, stack_counts
from taipan.coverage.score import ALLOWED, LEVELS, summarise_experiments
from taipan.inference import CompiledModel, compile_model
from taipan.inference.joint import JointFits, fit_jointly
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.inference import coverage_figure
from taipan.plotting.style import save_figure

logger = logging.getLogger("taipan.coverage")

Array = npt.NDArray[np.float64]

FIGURES = (Figure("coverage_{observable}", "Fit", "coverage"),)


def summarise_coverage(
    workspace: str, record: str, pseudo_data: Sequence[str], report: str, figures: FigureFiles
) -> None:
    """Write the report of the coverage and its figure.

    Parameters
    ----------
    workspace
        JSON file of the rule ``build_workspace``.
    record
        Record that was written beside it.
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
    content = read_json(workspace)
    batches = [read_json(path) for path in pseudo_data]
    truths = [item for batch in batches for item in batch["truths"]]
    model = compile_model(content)
    data = stack_counts(model, *join_batches(batches))
    first, *further = (item["config"]["poi"] for item in content["measurements"])
    truth = np.array([item["mu"] for item in truths])
    found, pulls = _measure(model, data, truth)
    others = {}
    for measurement, name in zip(content["measurements"][1:], further, strict=True):
        own = compile_model(content, measurement=measurement["name"])
        others[name], _ = _measure(own, data, np.array([item["others"][name] for item in truths]))
    if others:
        values = [[item["mu"], *(item["others"][name] for name in further)] for item in truths]
        joint = fit_jointly(model, data, [first, *further], np.array(values))
        found |= {"others": others, "joint": _judge_jointly(joint)}
        kept = [found["joint"], *others.values()]
        found["passed"] = found["passed"] and all(item["passed"] for item in kept)
    owners = read_json(record)["treatment"]["parameters"]
    effects = measure_effects(model, data[:, : model.n_bins], truths, owners)
    _log_effects(effects)
    found["effects"] = [asdict(item) for item in effects]
    numbers = {"report": found, "pulls": pulls}
    save_figure(coverage_figure(numbers), figures["coverage"], numbers)
    write_json(report, found)


def _log_effects(effects: Sequence[Effect]) -> None:
    """Say which systematics do to the pseudo-data what the model does not say."""
    for item in effects:
        if item.p_value < LEAST_P_VALUE:
            logger.warning(
                "%s moves the estimate by %+.2f ± %.2f σ in the pseudo-data, by %+.2f σ in the "
                "model (χ² of the bins %.0f / %d)",
                *(item.name, item.found, item.error, item.expected, item.chi2, item.ndf),
            )


def _measure(model: CompiledModel, data: Array, truth: Array) -> tuple[dict[str, Any], list[float]]:
    """Measure the coverage of one parameter; give the report and the pulls."""
    fitted = fit_experiments(model, data, truth)
    found: dict[str, Any] = {"failed": fitted.failed}
    found |= summarise_experiments(fitted.truth, fitted.mu_hat, fitted.sigma, fitted.intervals)
    for item in found["intervals"]:
        level = logging.INFO if item["passed"] else logging.ERROR
        logger.log(
            level,
            "%s, %.4g %%: found %.2f %% (%+.1f binomial σ)",
            model.parameters.names[model.poi],
            100 * item["level"],
            100 * item["fraction"],
            item["deviation"],
        )
    return found, ((fitted.mu_hat - fitted.truth) / fitted.sigma).tolist()


def _judge_jointly(joint: JointFits) -> dict[str, Any]:
    """Tell how often the region of all parameters together holds the truth."""
    level, n = LEVELS[0], int(np.isfinite(joint.rises).sum())
    fraction, error = joint.coverage(level), float(np.sqrt(level * (1.0 - level) / n))
    deviation = (fraction - level) / error
    logger.info("%s together: found %.2f %%", ", ".join(joint.names), 100 * fraction)
    return {
        "names": list(joint.names),
        "n": n,
        "level": level,
        "fraction": fraction,
        "error": error,
        "deviation": deviation,
        "passed": bool(abs(deviation) <= ALLOWED),
    }


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(summarise_coverage)
