"""The commands ``taipan import`` and ``taipan export``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click as plain
import rich_click as click

from taipan.cli.words import PATH, SETTINGS, Choice, Command, Group, SeveralOption, examples

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


class _Export(Group):
    """A command of commands; what is none of them is the workspace of the first."""

    def parse_args(self, ctx: plain.Context, args: list[str]) -> list[str]:
        """Read the arguments: before one that is no command belongs the word ``workspace``."""
        if args and args[0] not in {*self.commands, *SETTINGS["help_option_names"]}:
            args = ["workspace", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Export, context_settings=SETTINGS)
@examples(
    "taipan export events --out events.parquet",
    "taipan export tables results/demo --out tables",
    "taipan export results/demo/workspace.json --to combine --out card",
)
def export() -> None:
    """Write results of a run, or a workspace, for other programs."""


@export.command("workspace", cls=Command)
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
    """Write a pyhf workspace for another program; the word `workspace` may be left out.

    The folder gets a datacard of CMS Combine with its ROOT file, the templates as ROOT histograms
    with the YAML file by which they are read again, or an HS3 document. A certificate says that
    both are the same model; without agreement nothing is written.
    """
    from taipan.commands.export_model import ExportOptions, run_export  # pyhf is slow to import

    run_export(ExportOptions(**options))


@export.command("events", cls=Command)
@click.option(
    "--out",
    required=True,
    type=PATH,
    metavar="FILE",
    help="Its ending is the format: .parquet, .csv or .root.",
)
@click.option("--configfile", cls=SeveralOption, metavar="FILE...", help="Overlays of the run.")
@click.option("--analysis", metavar="NAME", help="Analysis in place of the configuration's.")
@click.option("--results", type=PATH, metavar="FOLDER", help="Default: as the configuration says.")
@click.option("--nominal", is_flag=True, help="Without the weights of variations.")
@click.option("--root", type=PATH, default=Path(), metavar="FOLDER", help="Of the project.")
@examples(
    "taipan export events --out events.parquet",
    "taipan export events --out events.csv --nominal",
    "taipan export events --out events.root --configfile my.yaml",
)
def export_events(**options: Any) -> None:
    """Write the events of a finished run as one flat table.

    A row is an event in a region: quantities, scores, fold, process, weight, and the weight of
    each variation. FILE_columns.csv says in plain words what each column is. Data of blinded
    regions are left out.
    """
    from taipan.commands.export_events import EventsOptions, run_export_events

    run_export_events(EventsOptions(**options))


@export.command("tables", cls=Command)
@click.argument("results", type=PATH, metavar="RESULTS")
@click.option("--out", required=True, type=PATH, metavar="FOLDER")
@examples(
    "taipan export tables results/demo --out tables",
)
def export_tables(results: Path, out: Path) -> None:
    """Write the tables of a finished run as LaTeX and CSV.

    They are the results, yields before and after the fit, impacts, and parts of the uncertainty.
    Samples have their labels, an estimate from data is the net one.
    """
    from taipan.commands.export_tables import run_export_tables

    run_export_tables(results, out)
