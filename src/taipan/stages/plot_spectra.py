"""Draw the unfolded spectra of a fit."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.spectra import spectrum_figure, spectrum_numbers
from taipan.plotting.style import save_figure

FIGURES = (Figure("spectra_{observable}", "Fit", "spectra"),)


def plot_spectra(result: str, header: dict[str, Any], figures: FigureFiles) -> None:
    """Write the figure of the table above.

    Parameters
    ----------
    result
        JSON file of the rule ``fit``, of a fit with `unfolding`.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    figures
        Files of the figure.
    """
    numbers = spectrum_numbers(read_json(result), header)
    save_figure(spectrum_figure(numbers), figures["spectra"], numbers)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(plot_spectra)
