"""The commands ``taipan combine`` and ``taipan combine-results``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from taipan.cli.words import PATH, SETTINGS, Command


@click.command(cls=Command, context_settings=SETTINGS)
@click.argument("workspaces", nargs=-1, required=True, metavar="NAME=WORKSPACE.json...")
@click.option(
    "--correlate",
    multiple=True,
    metavar="COMMON=A:X,B:Y",
    help="One parameter for X of A and Y of B; COMMON alone: for those of that name; repeated.",
)
@click.option(
    "--poi", default="mu", metavar="NAME", show_default=True, help="Common parameter of interest."
)
@click.option("--out", required=True, type=PATH, metavar="COMBINED.json")
def combine(workspaces: tuple[str, ...], correlate: tuple[str, ...], poi: str, out: Path) -> None:
    """Combine workspaces.

    Puts the regions of several pyhf workspaces into one. NAME is that of the analysis, which its
    regions and parameters get. Parameters are not correlated unless --correlate says so.
    """
    from taipan.commands.combine import run_combine  # pyhf takes a second to import

    run_combine(workspaces, correlate, poi, out)


@click.command("combine-results", cls=Command, context_settings=SETTINGS)
@click.argument("results", type=PATH, metavar="RESULTS.json")
@click.option(
    "--level",
    type=float,
    default=3.0,
    metavar="Z",
    show_default=True,
    help="Standard deviations up to which intervals are conservative.",
)
@click.option("--out", type=PATH, metavar="COMBINED.json", help="Write the combination.")
def combine_results(results: Path, level: float, out: Path | None) -> None:
    """Combine results of unknown correlation.

    The intervals cover whatever the correlation is (arXiv:2410.22333).
    """
    from taipan.commands.combine import run_combine_results

    run_combine_results(results, level, out)
