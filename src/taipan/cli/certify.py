"""The command ``taipan certify``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from taipan.cli.words import PATH, SETTINGS, Command, SeveralOption, examples


@click.command(cls=Command, context_settings=SETTINGS)
@click.argument("results", type=PATH, metavar="RESULTS")
@click.option("--out", type=PATH, metavar="FOLDER", help="Of the certificate; default: RESULTS.")
@click.option(
    "--trainings",
    cls=SeveralOption,
    type=PATH,
    metavar="FOLDER...",
    help="Results of the same analysis with other seeds of the training.",
)
@examples(
    "taipan certify results/demo               of one run",
    "taipan certify results/demo --out paper   the certificate into another folder",
)
def certify(results: Path, out: Path | None, trainings: tuple[Path, ...]) -> None:
    """Say with one verdict whether results can be trusted; status 1 if a line fails."""
    from taipan.certify.command import run_certify  # pyhf takes a second to import

    run_certify(results, out, trainings)
