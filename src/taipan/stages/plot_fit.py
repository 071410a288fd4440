"""Draw a fit: prefit and postfit distributions, pulls and correlations."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json
from taipan.config.slices import restore_slice
from taipan.plotting.fit import fit_figure, fit_numbers, fitted_result
from taipan.plotting.inference import impact_figure, impact_numbers
from taipan.plotting.parameters import (
    correlation_figure,
    correlation_numbers,
    pull_figure,
    pull_numbers,
)
from taipan.plotting.style import save_figure

FIGURES = ("prefit", "postfit", "pulls", "correlation", "impacts")


def plot_fit(
    result: str,
    config: dict[str, Any],
    header: dict[str, Any],
    outputs: dict[str, dict[str, str]],
) -> None:
    """Write the figures `prefit`, `postfit`, `pulls`, `correlation` and `impacts`.

    `outputs` maps each figure to the paths of its ``pdf``, ``png`` and ``json``.
    """
    settings = restore_slice(config)
    content = read_json(result)
    observables = settings.observables
    observable = observables[content["observable"]]
    for stage in ("prefit", "postfit"):
        numbers = fit_numbers(
            content, stage, observable, settings.samples, settings.regions, header, observables
        )
        save_figure(fit_figure(numbers), outputs[stage], numbers)
    pulls = pull_numbers(content, header)
    save_figure(pull_figure(pulls), outputs["pulls"], pulls)
    correlation = correlation_numbers(content, header)
    save_figure(correlation_figure(correlation), outputs["correlation"], correlation)
    kind, fitted = fitted_result(content)
    impacts = impact_numbers({**fitted, "poi": content["poi"], "mode": kind}, header)
    save_figure(impact_figure(impacts), outputs["impacts"], impacts)
