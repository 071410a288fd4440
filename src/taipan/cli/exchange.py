"""The commands ``taipan import`` and ``taipan export``."""

from __future__ import annotations

from typing import Any

import rich_click as click

from taipan.cli.words import PATH, SETTINGS, Choice, Command

FORMATS = ("combine", "root", "hs3")

_CERTIFICATE = click.option(
    "--certificate", type=PATH, metavar="FILE", help="Default: certificate.json beside the output."
)
_REFIT = click.option(
    "--refit/--no-refit", default=None, help="Fit with other programs; default: small models only."
)
_SEED = click.option("--seed", type=int, default=1, help="Of the random points.")


@click.command("import", cls=Command, context_settings=SETTINGS)
@click.argument("file", type=PATH, metavar="FILE")
@click.option("--out", required=True, type=PATH, metavar="WORKSPACE.json")
@_CERTIFICATE
@click.option(
    "--mass", default="120", metavar="TEXT", show_default=True, help="For $MASS of a datacard."
)
@click.option("--patch", metavar="FILE:NAME", help="Patch of a pyhf patch set to apply.")
@_REFIT
@_SEED
def import_model(**options: Any) -> None:
    """Make a pyhf workspace of a model of another program.

    FILE is a datacard of CMS Combine, a YAML file that says how ROOT histograms are called (.yaml),
    an HS3 document (.json), HistFactory's XML (.xml), or with --patch a pyhf workspace (.json). A
    certificate says that both are the same model; without agreement nothing is written.
    """
    from taipan.commands.import_model import ImportOptions, run_import  # pyhf is slow to import

    run_import(ImportOptions(**options))


@click.command("export", cls=Command, context_settings=SETTINGS)
@click.argument("workspace", type=PATH, metavar="WORKSPACE.json")
@click.option("--to", "to", required=True, type=Choice(FORMATS), help="Format.")
@click.option("--out", required=True, type=PATH, metavar="FOLDER")
@_CERTIFICATE
@click.option("--measurement", metavar="NAME", help="Default: the first.")
@click.option("--groups", type=PATH, metavar="GROUPS.json", help="Parameter to group.")
@click.option("--fitted", is_flag=True, help="Of root: the templates at the best fit, too.")
@_REFIT
@_SEED
def export_model(**options: Any) -> None:
    """Write a pyhf workspace for another program.

    The folder gets a datacard of CMS Combine with its ROOT file, the templates as ROOT histograms
    with the YAML file by which they are read again, or an HS3 document. A certificate says that
    both are the same model; without agreement nothing is written.
    """
    from taipan.commands.export_model import ExportOptions, run_export  # pyhf is slow to import

    run_export(ExportOptions(**options))
