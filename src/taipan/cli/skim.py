"""The command ``taipan skim``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from taipan.cli.words import PATH, SETTINGS, Command, PositiveInteger, SeveralOption


@click.command(cls=Command, context_settings=SETTINGS)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--analysis",
    metavar="NAME",
    help="Analysis of config/analyses, or the path of a folder, with a /, whose code is executed "
    "(default: that of the configuration).",
)
@click.option("--out", required=True, type=PATH, metavar="FILE", help="Parquet file.")
@click.option("--cutflow", type=PATH, metavar="FILE", help="Cutflow as JSON, too.")
@click.option(
    "--threads",
    type=PositiveInteger(),
    default=1,
    metavar="N",
    show_default=True,
    help="Number of processes.",
)
@click.option("--data", is_flag=True, help="The files are collision data.")
@click.option("--simulation", is_flag=True, help="The files are simulation.")
@click.option("--flat", is_flag=True, help="Flat, already skimmed ntuples.")
@click.option(
    "--config",
    "overlays",
    cls=SeveralOption,
    metavar="FILE...",
    help="Overlays whose sections `skim` and `remote` are used.",
)
@click.option("--root", type=PATH, default=Path(), metavar="FOLDER", help="Holds config/.")
def skim(
    files: tuple[str, ...],
    analysis: str | None,
    out: Path,
    cutflow: Path | None,
    threads: int,
    data: bool,
    simulation: bool,
    flat: bool,
    overlays: tuple[str, ...],
    root: Path,
) -> None:
    """Select the events of ROOT files into a Parquet file and print the cutflow.

    FILE is a ROOT file, or its URL (http, https, root).
    """
    if data and simulation:
        raise click.UsageError("--simulation: not allowed with --data")
    from taipan.commands.skim import run_skim
    from taipan.skim.command import SkimSource

    source = SkimSource(out.stem, data if data or simulation else None, flat)
    run_skim(
        files,
        out,
        source,
        analysis=analysis,
        overlays=overlays,
        root=root,
        processes=threads,
        cutflow=cutflow,
    )
