"""The commands ``taipan show``, ``run``, ``plot`` and ``datasets``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from taipan.cli.words import PATH, SETTINGS, Command, SeveralOption, examples


@click.command(cls=Command, context_settings=SETTINGS)
@click.argument("results", type=PATH, metavar="RESULTS")
@click.option("--all", "everything", is_flag=True, help="All of summary.md.")
@examples(
    "taipan show results/demo",
    "taipan show results/demo --all",
)
def show(results: Path, everything: bool) -> None:
    """Say what a finished run found, whether to trust it, and where its report is."""
    from taipan.commands.show import run_show

    run_show(results, everything=everything)


@click.command(
    cls=Command,
    context_settings={
        **SETTINGS,
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "allow_interspersed_args": False,
    },
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[ANALYSIS] [WORDS OF ./run]...")
@examples(
    "taipan run",
    "taipan run --configfile my.yaml",
    "taipan run demo",
    "taipan run -n",
)
def run(words: tuple[str, ...]) -> None:
    """Run the analysis of the configuration, and make its report; the same as ./run.

    The name of a folder of config/analyses runs that one. Further words are those of Snakemake:
    -n only says what would be run, --verbose shows all that Snakemake and the jobs say.
    """
    from taipan.commands.show import start_run

    start_run(words)


@click.command(cls=Command, context_settings=SETTINGS)
@click.argument("numbers", nargs=-1, required=True, type=PATH, metavar="FIGURE.json...")
@click.option("--out", required=True, type=PATH, metavar="FOLDER")
@click.option("--style", metavar="STYLE", help="Style of matplotlib: a file, or its name.")
@examples(
    "taipan plot results/demo/plots/postfit_nn_score.json --out talk",
    "taipan plot results/demo/plots/*.json --out talk --style my.mplstyle",
    "taipan plot results/demo/plots/control_signal.json --out talk --style grayscale",
)
def plot(numbers: tuple[Path, ...], out: Path, style: str | None) -> None:
    """Draw figures again from the numbers beside them.

    The style is a file of matplotlib with lines such as `font.size: 14`, or the name of a style
    that matplotlib has. Colours and labels stand
    in the numbers, which are copied beside the new figure.
    """
    from taipan.commands.redraw import run_plot

    run_plot(numbers, out, style)


@click.command(cls=Command, context_settings=SETTINGS)
@click.option("--configfile", cls=SeveralOption, metavar="FILE...", help="Overlays.")
@click.option("--analysis", metavar="NAME", help="Analysis in place of the configuration's.")
@click.option("--verify", is_flag=True, help="Compare sizes and checksums of the files here.")
@click.option("--root", type=PATH, default=Path(), metavar="FOLDER", help="Of the project.")
@examples(
    "taipan datasets",
    "taipan datasets --configfile config/examples/cms-2012-reduced.yaml --verify",
)
def datasets(configfile: tuple[str, ...], analysis: str | None, verify: bool, root: Path) -> None:
    """List the datasets of an analysis: files, sizes, events, and what of them is here."""
    from taipan.commands.datasets import run_datasets

    run_datasets(configfile, analysis, root, verify=verify)
