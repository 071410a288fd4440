"""Draw what a fit with several parameters of interest says of each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taipan.atomic import read_json
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.fit import fitted_result
from taipan.plotting.inference import impact_figure, impact_numbers, scan_figure
from taipan.plotting.parameters import breakdown_figure, breakdown_numbers
from taipan.plotting.style import find_unit, name_axis, save_figure

FIGURES = (
    Figure("profile_{observable}_{parameter}", "Fit", "profile"),
    Figure("impacts_{observable}_{further}", "Fit", "impacts"),
    Figure("breakdown_{observable}_{further}", "Fit", "breakdown"),
)


def plot_interests(
    result: str, parameters: Sequence[str], header: dict[str, Any], figures: FigureFiles
) -> None:
    """Write the figures of the table above.

    Parameters
    ----------
    result
        JSON file of the rule ``fit``, of several parameters of interest.
    parameters
        The parameters; the first one has its impacts in the figures of ``plot_fit``.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    figures
        Files of each figure.
    """
    content = read_json(result)
    kind, fitted = fitted_result(content)
    shared = {key: content[key] for key in ("observable", "interests") if key in content}
    for name in parameters:
        unit = find_unit(content, name)
        named = {"label": name_axis(content, name), **({"unit": unit} if unit else {})}
        profile = {**content["scans"][name][kind], **named}
        save_figure(scan_figure(profile), figures[f"profile_{name}"], profile)
    for name in parameters[1:]:
        own = content["others"][name]
        of_one = {**fitted, **own[kind], **shared, "poi": name, "mode": kind}
        impacts = impact_numbers(of_one, header)
        save_figure(impact_figure(impacts), figures[f"impacts_{name}"], impacts)
        parts = breakdown_numbers({**shared, **own, "poi": name}, header)
        save_figure(breakdown_figure(parts), figures[f"breakdown_{name}"], parts)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(plot_interests)
