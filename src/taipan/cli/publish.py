"""The command ``taipan publish``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from taipan.cli.words import PATH, SETTINGS, Command, SeveralOption, examples


@click.command(cls=Command, context_settings=SETTINGS)
@click.argument("results", type=PATH, metavar="RESULTS")
@click.option("--out", required=True, type=PATH, metavar="FOLDER", help="New folder.")
@click.option("--force", is_flag=True, help="Replace a FOLDER that this command made.")
@click.option("--configfile", cls=SeveralOption, metavar="FILE...", help="Overlays of the run.")
@click.option("--analysis", metavar="NAME", help="Analysis in place of the configuration's.")
@click.option("--root", type=PATH, default=Path(), metavar="FOLDER", help="Of the project.")
@examples(
    "taipan publish results/demo --out published --analysis demo",
    "taipan publish results/demo --out published --analysis demo --force   anew",
)
def publish(**options: Any) -> None:
    """Make one folder with networks and likelihood that others can use without Taipan.

    It holds the ONNX file of each fold, what the inputs are, events to check the scores by, a
    script that does so, the likelihood for pyhf, HS3 and HEPData, a citation and the licence.
    """
    from taipan.publish.command import PublishOptions, run_publish  # pyhf is slow to import

    run_publish(PublishOptions(**options))
