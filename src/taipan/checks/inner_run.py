"""Checks of a run within a run, such as a pre-training, before any of its jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from taipan.analysis_selection import load_analysis
from taipan.checks.configuration import check_config
from taipan.config.inner_run import Rename
from taipan.config.load import load_catalogue
from taipan.config.model import Config
from taipan.datasets import Catalogue
from taipan.errors import TaipanError


@dataclass(frozen=True)
class Wording:
    """What is said of events of the run within that may be those of the run.

    Attributes
    ----------
    seed, catalogue
        Paths of these keys of the run within.
    used
        What the events of the run are used for: "whose events ...".
    """

    seed: str
    catalogue: str
    used: str


def load_inner_catalogue(inner: Config, rename: Rename) -> Catalogue:
    """Load the catalogue of a run within the run.

    Parameters
    ----------
    inner
        Its configuration (:func:`~taipan.config.inner_run.load_inner`).
    rename
        Gives problems the path of their keys.

    Raises
    ------
    TaipanError
        If there is none of that name, or it is not valid.
    """
    try:
        return load_catalogue(inner)
    except TaipanError as error:
        raise TaipanError(rename(str(error))) from error


def check_inner_config(inner: Config, catalogue: Catalogue, rename: Rename) -> list[str]:
    """List what of the configuration of a run within the run does not fit its catalogue."""
    try:
        analysis = load_analysis(Path(inner.folder), inner.quantities)
        check_config(inner, catalogue, analysis, writes=False)
    except TaipanError as error:
        return [rename(line) for line in str(error).splitlines()]
    return []


def check_inner_events(
    run: tuple[Config, Catalogue], inner: tuple[Config, Catalogue], wording: Wording
) -> Iterator[str]:
    """Refuse events that may be those of the run, in other folds or all of them.

    Parameters
    ----------
    run, inner
        Configuration and catalogue of the run and of the one within.
    wording
        What is said of them.

    Yields
    ------
    str
        One line a problem.
    """
    (config, catalogue), (other, fast) = run, inner
    if fast.kind == "simulation":
        if catalogue.kind == "simulation" and other.seed == config.seed:
            yield (
                f"{wording.seed}: {other.seed} is the seed of the run, whose simulated "
                "events are in its templates (another one, or leave it out)"
            )
        return
    if fast.name == catalogue.name:
        yield (
            f"{wording.catalogue}: '{fast.name}' is the catalogue of the run itself, whose events "
            f"{wording.used} (another one)"
        )
    elif (fast.kind, fast.table is None) != (catalogue.kind, catalogue.table is None):
        yield (
            f"{wording.catalogue}: '{fast.name}' has files of kind '{fast.kind}', "
            f"'{catalogue.name}' of kind '{catalogue.kind}', which identify events in another way: "
            "one that is in both would be in two folds (a simulation, or files of the same kind)"
        )
