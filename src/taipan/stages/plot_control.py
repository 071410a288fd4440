"""Draw the control plots of every region."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from taipan.atomic import read_json
from taipan.config.model import Config
from taipan.estimates.registry import read_estimate
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.control import control_figure, control_numbers
from taipan.plotting.style import save_figure
from taipan.templates.store import read_histograms

FIGURES = (Figure("control_{region}", "Control plots"),)


def plot_control(
    control: str,
    transfer_factor: str,
    config: Config,
    blinded: Collection[str],
    header: dict[str, Any],
    figures: FigureFiles,
) -> None:
    """Write ``control_<region>`` as PDF, PNG and JSON for every region.

    Parameters
    ----------
    control
        Histogram file of the control quantities.
    transfer_factor
        JSON file of the rule ``measure_transfer_factor``.
    config
        Sections `samples`, `regions`, `control_plots`, `systematics` and `plotting`.
    blinded
        Regions whose data are left out.
    header
        Label, luminosity (fb⁻¹) and energy (TeV).
    figures
        ``control_<region>`` → files.
    """
    histograms = read_histograms(control)
    estimate = read_estimate(config.samples, read_json(transfer_factor))
    for region in config.regions:
        numbers = control_numbers(
            histograms, config, region, header, estimate=estimate, blinded=region in blinded
        )
        save_figure(control_figure(numbers), figures[f"control_{region}"], numbers)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(plot_control)
