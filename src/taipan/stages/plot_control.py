"""Draw the control plots of every region."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from taipan.config.slices import restore_slice
from taipan.plotting.control import control_figure, control_numbers
from taipan.plotting.style import save_figure
from taipan.templates.store import read_histograms


def plot_control(
    control: str,
    config: dict[str, Any],
    blinded: Collection[str],
    header: dict[str, Any],
    outputs: dict[str, str],
) -> None:
    """Write ``control_<region>`` as PDF, PNG and JSON for every region.

    Parameters
    ----------
    control
        Histogram file of the control quantities.
    config
        Sections `samples`, `regions` and `control_plots`.
    blinded
        Regions whose data are left out.
    header
        Label, luminosity (fb⁻¹) and energy (TeV).
    outputs
        ``<region>_pdf``, ``<region>_png`` and ``<region>_json`` → file.
    """
    settings = restore_slice(config)
    histograms = read_histograms(control)
    for region, definition in settings.regions.items():
        numbers = control_numbers(
            histograms,
            settings.control_plots,
            settings.samples,
            (region, definition),
            header,
            blinded=region in blinded,
        )
        files = {kind: outputs[f"{region}_{kind}"] for kind in ("pdf", "png", "json")}
        save_figure(control_figure(numbers), files, numbers)
