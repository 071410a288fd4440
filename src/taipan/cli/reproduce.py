"""The commands ``taipan bundle`` and ``taipan reproduce``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from taipan.cli.words import PATH, SETTINGS, Command, SeveralOption

_keys = click.option(
    "--config",
    cls=SeveralOption,
    metavar="KEY=VALUE...",
    help="Keys such as skims=FOLDER, which say where input lies.",
)
_root = click.option(
    "--root", type=PATH, default=Path(), metavar="FOLDER", help="Folder of the project."
)


@click.command(cls=Command, context_settings=SETTINGS)
@click.option("--out", type=PATH, required=True, metavar="BUNDLE.zip")
@click.option(
    "--configfile",
    cls=SeveralOption,
    metavar="FILE...",
    help="Overlays of the run, as they were given to Snakemake.",
)
@_keys
@_root
def bundle(out: Path, configfile: tuple[str, ...], config: tuple[str, ...], root: Path) -> None:
    """Put configuration, versions and results of a finished run into one file."""
    from taipan.reproduce.command import run_bundle

    run_bundle(out, configfile, config, root)


@click.command(cls=Command, context_settings=SETTINGS)
@click.argument("bundle", type=PATH, metavar="BUNDLE.zip")
@click.option("--folder", type=PATH, required=True, metavar="FOLDER", help="For the run; new.")
@click.option("--cores", type=int, default=2, metavar="N", show_default=True)
@click.option(
    "--tolerance",
    type=float,
    default=1e-6,
    metavar="X",
    show_default=True,
    help="Largest relative difference of a number.",
)
@click.option(
    "--analysis",
    metavar="FOLDER",
    help="Folder, with a /, whose code belongs to the bundle's analysis; it is executed.",
)
@_keys
@_root
def reproduce(
    bundle: Path,
    folder: Path,
    cores: int,
    tolerance: float,
    analysis: str | None,
    config: tuple[str, ...],
    root: Path,
) -> None:
    """Run a bundle in a new folder and compare every number; status 1 if one differs."""
    from taipan.reproduce.command import run_reproduce

    run_reproduce(bundle, folder, root, config, analysis, cores=cores, tolerance=tolerance)
