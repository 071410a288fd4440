"""The command ``taipan new``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from taipan.cli.words import PATH, SETTINGS, Command


@click.command(cls=Command, context_settings=SETTINGS)
@click.argument("name", metavar="NAME")
@click.option(
    "--at",
    "place",
    type=PATH,
    metavar="PATH",
    help="Folder in which it is made (default: config/analyses).",
)
def new(name: str, place: Path | None) -> None:
    """Make the folder of a new analysis, which runs at once.

    It has a small simulation of its own, one signal, two backgrounds and three systematics, with a
    comment at each line. With a package that was installed without a clone, the first one makes the
    project, too, in the working directory.
    """
    from taipan.analysis_folder import ANALYSES
    from taipan.errors import TaipanError
    from taipan.new_analysis import make_analysis
    from taipan.new_analysis.project import make_project

    if place is None and not ANALYSES.is_dir() and make_project(Path.cwd()):
        print("made a project here: Snakefile, workflow, scripts, profiles, config, run")
    if place is None and not ANALYSES.is_dir():
        raise TaipanError(
            f"{ANALYSES} is not here, in {Path.cwd()} (work in the folder of Taipan, or say where: "
            "--at FOLDER)"
        )
    folder = make_analysis(name, place or ANALYSES)
    analysis = name if place is None else folder if "/" in str(folder) else f"./{folder}"
    print(f"made {folder}: analysis.yaml, selection.py, simulation.py, datasets, corrections")
    print(f"check it: taipan config check --analysis {analysis}")
    print(f"run it:   ./run --config analysis={analysis}")
