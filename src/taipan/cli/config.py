"""The command ``taipan config``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from taipan.cli.words import PATH, SETTINGS, Command, Group, SeveralOption

_overlays = click.option(
    "--config",
    "overlays",
    cls=SeveralOption,
    metavar="FILE...",
    help="Overlays, merged over config/config.yaml in the order given.",
)
_analysis = click.option(
    "--analysis",
    metavar="NAME",
    help="Analysis in place of the configuration's: a name, or the path of a folder, with a /, "
    "whose code is executed.",
)
_root = click.option(
    "--root",
    type=PATH,
    default=Path(),
    metavar="FOLDER",
    help="Folder that holds config/ (default: the working directory).",
)


@click.group(cls=Group, context_settings=SETTINGS)
def config() -> None:
    """Check the configuration, or document it."""


@config.command(cls=Command)
@_overlays
@_analysis
@_root
def check(overlays: tuple[str, ...], analysis: str | None, root: Path) -> None:
    """Check the configuration, with overlays, and say what it holds."""
    from taipan.analysis_choice import read_trusted
    from taipan.checks.describe import describe_config
    from taipan.checks.larger import check_larger_run
    from taipan.checks.pretraining import check_pretraining_run
    from taipan.checks.whole import check_everything
    from taipan.config.eras import read_eras
    from taipan.config.larger import read_larger
    from taipan.config.pretraining import read_source

    read, folder = read_trusted(overlays, root, analysis)
    named = {} if analysis is None else {"analysis": analysis}
    eras = read_eras(overlays, root, **named) if read.eras else {}
    source = read_source(overlays, root, **named)
    larger = read_larger(overlays, root, **named)
    for name, (one, catalogue) in check_everything(eras or {"": read}, folder).items():
        if source is not None:
            check_pretraining_run(one, catalogue, source)
        if larger is not None:
            check_larger_run(one, catalogue, larger)
        print(f"era {name}: " * bool(name) + describe_config(one, catalogue))


@config.command(cls=Command)
@_overlays
@_analysis
@_root
def quantities(overlays: tuple[str, ...], analysis: str | None, root: Path) -> None:
    """List the quantities and shifts of the analysis."""
    from taipan.analysis_choice import read_trusted
    from taipan.analysis_selection import load_analysis
    from taipan.checks.describe import describe_quantities

    read, folder = read_trusted(overlays, root, analysis)
    for line in describe_quantities(load_analysis(folder, read.quantities)):
        print(line)


@config.command(cls=Command)
def defaults() -> None:
    """Print config/config.yaml with every default."""
    from taipan.config.document import default_text

    print(default_text(), end="")


@config.command(cls=Command)
def schema() -> None:
    """Print the JSON schema of a configuration file."""
    from taipan.config.document import schema_text

    print(schema_text(), end="")


@config.command(cls=Command)
def manual() -> None:
    """Print the tables of the manual."""
    from taipan.config.document import tables_text

    print(tables_text())


@config.command(cls=Command)
@_root
def write(root: Path) -> None:
    """Write the three generated documents where they changed."""
    from taipan.config.document import write_documents

    for path in write_documents(root):
        print(f"wrote {path}")
