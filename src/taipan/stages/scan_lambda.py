"""Compare the strengths of the adversary and choose one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taipan.adversary_scan.choose import choose_strength
from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.adversary import area_figure, judged_before_and_after, sigma_figure
from taipan.plotting.decorrelation import decorrelation_numbers, region_scores_figure
from taipan.plotting.style import save_figure

FIGURES = (
    Figure("scan_auc", "Training", "scan"),
    Figure("scan_sigma", "Training", "scan"),
    Figure("scan_scores", "Training", "scan"),
)


def scan_lambda(
    points: Sequence[str],
    config: Config,
    header: dict[str, Any],
    choice: str,
    figures: FigureFiles,
) -> None:
    """Write the choice and its figures.

    Parameters
    ----------
    points
        JSON files of the rule `scan_point`.
    config
        Sections `regions`, `training` (its adversary) and `decorrelation`.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    choice
        JSON file to write (``docs/adversary.md``).
    figures
        Figure → path of each of ``pdf``, ``png`` and ``json``.
    """
    found = [read_json(path) for path in points]
    region = config.training.adversary.control_sample.region
    chosen = choose_strength(found, region, config.decorrelation.efficiencies[0])
    write_json(choice, chosen)
    numbers = {"header": header, **chosen}
    save_figure(area_figure(chosen, header), figures["scan_auc"], numbers)
    save_figure(sigma_figure(chosen, header), figures["scan_sigma"], numbers)
    judged = decorrelation_numbers(judged_before_and_after(found, chosen), config.regions, header)
    save_figure(region_scores_figure(judged), figures["scan_scores"], judged["scores"])


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(scan_lambda)
