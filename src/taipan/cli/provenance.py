"""The command ``taipan provenance``."""

from __future__ import annotations

import json
from pathlib import Path

import rich_click as click

from taipan.clean_text import clean
from taipan.cli.words import PATH, SETTINGS, Command


@click.command(cls=Command, context_settings=SETTINGS)
@click.argument("file", type=PATH, metavar="FILE")
def provenance(file: Path) -> None:
    """Say where a file of a run comes from, and whether it is as it was written."""
    from taipan.reproduce.origin import read_origin

    print(clean(json.dumps(read_origin(file), indent=1, ensure_ascii=False)))
