"""Draw a fit: prefit and postfit distributions, pulls and correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taipan.atomic import read_json
from taipan.config.model import Config
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.fit import fit_figure, fit_numbers, fitted_result, name_regions
from taipan.plotting.inference import impact_figure, impact_numbers
from taipan.plotting.parameters import (
    breakdown_figure,
    breakdown_numbers,
    correlation_figure,
    correlation_numbers,
    pull_figure,
    pull_numbers,
)
from taipan.plotting.style import save_figure

FIGURES = (
    Figure("prefit_{observable}", "Fit", "fit"),
    Figure("postfit_{observable}", "Fit", "fit"),
    Figure("pulls_{observable}", "Fit"),
    Figure("correlation_{observable}", "Fit"),
    Figure("impacts_{observable}", "Fit"),
    Figure("breakdown_{observable}", "Fit"),
)


def plot_fit(
    result: str,
    config: Config,
    header: dict[str, Any],
    figures: FigureFiles,
    eras: Sequence[str] = (),
) -> None:
    """Write the figures of the table above.

    Parameters
    ----------
    result
        JSON file of the rule ``fit``.
    config
        Sections `samples`, `regions`, `observables` and `plotting`.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    figures
        Files of each figure.
    eras
        Data-taking periods whose names stand before those of the regions; none if there is one.
    """
    content = read_json(result)
    regions = name_regions(config.regions, eras)
    observables, signals = config.observables, config.plotting.signal
    observable = observables[content["observable"]]
    for stage in ("prefit", "postfit"):
        numbers = fit_numbers(
            content, stage, observable, config.samples, regions, header, observables, signals
        )
        save_figure(fit_figure(numbers), figures[stage], numbers)
    pulls = pull_numbers(content, header)
    save_figure(pull_figure(pulls), figures["pulls"], pulls)
    correlation = correlation_numbers(content, header)
    save_figure(correlation_figure(correlation), figures["correlation"], correlation)
    kind, fitted = fitted_result(content)
    shared = {key: content[key] for key in ("poi", "interests") if key in content}
    impacts = impact_numbers({**fitted, **shared, "mode": kind}, header)
    save_figure(impact_figure(impacts), figures["impacts"], impacts)
    parts = breakdown_numbers(content, header)
    save_figure(breakdown_figure(parts), figures["breakdown"], parts)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(plot_fit)
