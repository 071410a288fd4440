"""The command ``taipan results-folder``, which ``./run`` asks."""

from __future__ import annotations

import os
from pathlib import Path

import rich_click as click

from taipan.cli.words import SETTINGS, Command, SeveralOption


@click.command(
    "results-folder",
    cls=Command,
    # it is handed the options of Snakemake, too
    context_settings={**SETTINGS, "ignore_unknown_options": True, "allow_extra_args": True},
)
@click.option(
    "--configfile", "--configfiles", cls=SeveralOption, metavar="FILE...", help="Overlays."
)
@click.option("-C", "--config", cls=SeveralOption, metavar="KEY=VALUE...", help="Single keys.")
def results_folder(configfile: tuple[str, ...], config: tuple[str, ...]) -> None:
    """Print the folder that a run with these options writes to."""
    from taipan.config.load import read_config

    given = dict(item.split("=", 1) for item in config if "=" in item)
    named = {"analysis": given["analysis"]} if "analysis" in given else {}
    read = read_config([*configfile], Path(), **named)
    print(Path(os.path.expanduser(given.get("results", read.results))) / read.analysis)
