"""Draw the templates of the systematic uncertainties of one observable."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json
from taipan.config.model import Config
from taipan.config.sections.region_bins import own_histograms
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.shifts import shift_figure, shift_numbers
from taipan.plotting.style import save_figure
from taipan.plotting.systematic_numbers import FittedModel, systematic_numbers
from taipan.plotting.systematics import systematic_figure
from taipan.templates.store import read_histograms

FIGURES = (
    Figure("systematics_{observable}", "Systematic uncertainties"),
    Figure("shifts_{observable}", "Systematic uncertainties"),
)


def plot_systematics(
    templates: str,
    workspace: str,
    record: str,
    config: Config,
    observable: str,
    header: dict[str, Any],
    figures: FigureFiles,
) -> None:
    """Write ``systematics_<observable>`` and ``shifts_<observable>`` as PDF, PNG and JSON.

    Parameters
    ----------
    templates
        Histogram file of the rule ``combine_templates``.
    workspace, record
        JSON files of the rule ``build_workspace``.
    config
        Sections `samples`, `regions`, `observables`, `systematics` and `templates`.
    observable
        Observable of the fit.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    figures
        Files of the figure.
    """
    histograms = read_histograms(templates)
    own = own_histograms(config.observables, config.regions, optimised=True)
    axes = {
        **config.observables,
        **{n: config.observables[base] for n, (base, _) in own.items() if n in histograms},
    }
    made = read_json(record)
    numbers = systematic_numbers(
        histograms[observable],
        (observable, config.observables[observable]),
        config.samples,
        config.regions,
        config.systematics,
        header,
        FittedModel(read_json(workspace), made, config.templates.plot == "all"),
        {name: (histograms[name], item) for name, item in axes.items()},
    )
    save_figure(systematic_figure(numbers), figures["systematics"], numbers)
    labels = {
        name: config.regions[name].label or name
        for name, item in made["regions"].items()
        if item["role"] == "signal"
    }
    compared = shift_numbers(made, labels, header)
    save_figure(shift_figure(compared), figures["shifts"], compared)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(plot_systematics)
