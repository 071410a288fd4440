"""All checks of a run, of one data-taking period or of several, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from taipan.analysis_selection import load_analysis
from taipan.checks.configuration import check_config
from taipan.checks.eras import check_eras, check_one_period, check_runs
from taipan.checks.generator_files import check_generator_files
from taipan.config.load import load_catalogue
from taipan.config.model import Config
from taipan.datasets import Catalogue
from taipan.errors import TaipanError


def check_everything(
    configs: Mapping[str, Config], folder: Path
) -> dict[str, tuple[Config, Catalogue]]:
    """Check the configuration of each era, and the eras against each other.

    Parameters
    ----------
    configs
        Era → its configuration; the name is empty where there are none.
    folder
        Folder of the analysis, whose code may be executed.

    Returns
    -------
    dict
        Era → configuration and catalogue.

    Raises
    ------
    TaipanError
        One line a problem; that of an era begins with its name.
    """
    periods: dict[str, tuple[Config, Catalogue]] = {}
    problems: list[str] = []
    for name, config in configs.items():
        try:
            catalogue = load_catalogue(config)
            check_config(config, catalogue, load_analysis(folder, config.quantities))
            problems += [_prefix(name, line) for line in check_generator_files(config, catalogue)]
            periods[name] = (config, catalogue)
        except TaipanError as error:
            problems += [_prefix(name, line) for line in str(error).splitlines()]
    if "" in periods:
        problems += check_one_period(configs[""])
    if "" not in configs and not problems:
        problems += [*check_eras(periods), *check_runs(periods)]
    if problems:
        raise TaipanError("\n".join(problems))
    return periods


def _prefix(era: str, line: str) -> str:
    return f"eras.{era}: {line}" if era else line
