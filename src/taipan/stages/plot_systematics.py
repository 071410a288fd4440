"""Draw the templates of the systematic uncertainties of one observable."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json
from taipan.config.slices import restore_slice
from taipan.plotting.style import save_figure
from taipan.plotting.systematics import FittedModel, systematic_figure, systematic_numbers
from taipan.templates.store import read_histograms


def plot_systematics(
    templates: str,
    workspace: str,
    record: str,
    config: dict[str, Any],
    observable: str,
    header: dict[str, Any],
    outputs: dict[str, str],
) -> None:
    """Write ``systematics_<observable>`` as PDF, PNG and JSON."""
    settings = restore_slice(config)
    histograms = read_histograms(templates)
    numbers = systematic_numbers(
        histograms[observable],
        (observable, settings.observables[observable]),
        settings.samples,
        settings.regions,
        settings.systematics,
        header,
        FittedModel(read_json(workspace), read_json(record), settings.templates.plot == "all"),
        {name: (histograms[name], item) for name, item in settings.observables.items()},
    )
    save_figure(systematic_figure(numbers), outputs, numbers)
