"""Checks of the larger simulation that pseudo-data are drawn from, against the run."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.checks.inner_run import (
    Wording,
    check_inner_config,
    check_inner_events,
    load_inner_catalogue,
)
from taipan.config.larger import name_larger
from taipan.config.model import Config
from taipan.datasets import Catalogue, total_luminosity
from taipan.errors import TaipanError

_WORDING = Wording(name_larger("seed"), name_larger("catalogue"), "are in its templates")


def check_larger_run(config: Config, catalogue: Catalogue, larger: Config) -> None:
    """Check the run whose simulation pseudo-data are drawn from, before any of its jobs.

    Parameters
    ----------
    config, catalogue
        Configuration and catalogue of the analysis, which were checked.
    larger
        Configuration of the larger simulation (:func:`~taipan.config.larger.load_larger`).

    Raises
    ------
    TaipanError
        One line a problem: the events may be those of the analysis, are scaled to another
        luminosity, or the configuration does not fit its catalogue.
    """
    other = load_inner_catalogue(larger, name_larger)
    run, inner = (config, catalogue), (larger, other)
    problems = [
        *check_inner_events(run, inner, _WORDING),
        *check_inner_config(larger, other, name_larger),
    ]
    # of a catalogue that does not fit, the luminosity is not known
    problems = problems or [*_check_luminosity(run, inner)]
    if problems:
        raise TaipanError("\n".join(problems))


def _check_luminosity(
    run: tuple[Config, Catalogue], larger: tuple[Config, Catalogue]
) -> Iterator[str]:
    """Refuse events that are scaled to a luminosity other than that of the templates."""
    mine, theirs = total_luminosity(*run), total_luminosity(*larger)
    if mine != theirs:
        is_free = larger[1].kind == "simulation" and larger[1].pseudo_data is None
        key = "fastsim.luminosity" if is_free else "catalogue"
        yield (
            f"{name_larger(key)}: the luminosity is {theirs:g} fb⁻¹, that of the run {mine:g} "
            "fb⁻¹; pseudo-data are those of the run (the same)"
        )
