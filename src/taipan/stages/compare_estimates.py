"""Compare the estimate of a sample with its cross-checks."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.estimates.registry import read_cross_checks, read_estimate
from taipan.jobs.figures import Figure, FigureFiles
from taipan.likelihood.cross_checks import compare_estimates as compare
from taipan.plotting.estimates import estimate_figure, estimate_numbers
from taipan.plotting.style import save_figure
from taipan.templates.store import read_histograms

FIGURES = (Figure("estimates", "Fit"),)


def compare_estimates(
    templates: str,
    transfer_factor: str,
    config: Config,
    header: dict[str, Any],
    cross_checks: str,
    figures: FigureFiles,
) -> None:
    """Write the comparison and its figure.

    Parameters
    ----------
    templates
        Histogram file of the rule ``combine_templates``.
    transfer_factor
        JSON file of the rule ``measure_transfer_factor``.
    config
        Sections `samples`, `regions`, `observables` and `fit`.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    cross_checks
        JSON file to write.
    figures
        Files of the figure.
    """
    record = read_json(transfer_factor)
    estimate = read_estimate(config.samples, record)
    others = read_cross_checks(config.samples, record)
    if estimate is None or not others:
        raise TaipanError(f"{transfer_factor}: no cross-check was measured")
    compared = compare(read_histograms(templates), config, estimate, others)
    if not compared["regions"]:
        raise TaipanError(
            f"samples.{estimate.sample}.cross_checks: {', '.join(others)}: no fitted region has a "
            "source"
        )
    write_json(cross_checks, compared)
    numbers = estimate_numbers(compared, config.samples, config.regions, config.observables, header)
    save_figure(estimate_figure(numbers), figures["estimates"], numbers)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(compare_estimates)
