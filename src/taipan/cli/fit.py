"""The command ``taipan fit``: a workspace, ours or anyone's, from the command line."""

from __future__ import annotations

from typing import Any

import rich_click as click

from taipan.cli.words import PATH, SETTINGS, Choice, Command, SeveralOption

DATA_MODES = ("observed", "asimov", "background", "control")
_WRITTEN, _COMPUTED, _MODEL = "What is written", "What is computed", "Which data and model"


@click.command(cls=Command, context_settings=SETTINGS)
@click.option_panel(_WRITTEN)
@click.option_panel(_COMPUTED)
@click.option_panel(_MODEL)
@click.argument("workspace", type=PATH, metavar="WORKSPACE.json")
@click.option("--out", type=PATH, metavar="RESULT.json", panel=_WRITTEN, help="The result.")
@click.option("--plots", type=PATH, metavar="FOLDER", panel=_WRITTEN, help="Figures.")
@click.option("--hs3", type=PATH, metavar="HS3.json", panel=_WRITTEN, help="Workspace as HS3.")
@click.option(
    "--hepdata", type=PATH, metavar="FILE.tar.gz", panel=_WRITTEN, help="HEPData submission."
)
@click.option("--tables", type=PATH, metavar="FOLDER", panel=_WRITTEN, help="CSV, LaTeX tables.")
@click.option("--impacts", is_flag=True, panel=_COMPUTED, help="Impacts and breakdown by group.")
@click.option(
    "--impacts-by",
    type=Choice(("refits", "covariance")),
    default="refits",
    panel=_COMPUTED,
    help="Method of --impacts: a refit for each shift, or the covariance alone.",
)
@click.option("--limit", is_flag=True, panel=_COMPUTED, help="CLs limit, asymptotic.")
@click.option("--gof", is_flag=True, panel=_COMPUTED, help="Saturated goodness of fit.")
@click.option("--compatibility", is_flag=True, panel=_COMPUTED, help="Agreement of the regions.")
@click.option(
    "--scan", multiple=True, metavar="A[,B]", panel=_COMPUTED, help="Profile of one or two."
)
@click.option(
    "--toys",
    type=int,
    default=0,
    metavar="N",
    panel=_COMPUTED,
    help="Pseudo-experiments at the best fit; also for --limit and --gof.",
)
@click.option(
    "--yields", type=PATH, metavar="OTHER.json", panel=_COMPUTED, help="Predict another workspace."
)
@click.option("--asimov", is_flag=True, panel=_MODEL, help="Short for --mode asimov.")
@click.option(
    "--mode", type=Choice(DATA_MODES), panel=_MODEL, help="Observed (default) or a blinded mode."
)
@click.option("--mu", type=float, default=1.0, panel=_MODEL, help="Signal strength of Asimov data.")
@click.option(
    "--control", cls=SeveralOption, metavar="REGION...", panel=_MODEL, help="Of --mode control."
)
@click.option(
    "--regions", cls=SeveralOption, metavar="REGION...", panel=_MODEL, help="Fit only these."
)
@click.option("--measurement", metavar="NAME", panel=_MODEL, help="Default: the first.")
@click.option(
    "--interpolation",
    multiple=True,
    metavar="KIND=CODE",
    panel=_MODEL,
    help="normsys=code1 or histosys=code0, in place of pyhf's defaults.",
)
@click.option(
    "--groups", type=PATH, metavar="GROUPS.json", panel=_MODEL, help="Parameter to group."
)
@click.option(
    "--level", type=float, default=0.95, panel=_MODEL, help="Confidence level of the limit."
)
@click.option("--seed", type=int, default=1, panel=_MODEL, help="Of the pseudo-experiments.")
@click.option(
    "--lenient",
    is_flag=True,
    panel=_MODEL,
    help="Accept, with a note: bounds that hold a parameter, zero signals, idle parameters.",
)
def fit(**options: Any) -> None:
    """Fit a pyhf workspace.

    Prints what it says; --out keeps everything as JSON.
    """
    from taipan.commands.fit import FitOptions, run_fit  # pyhf takes a second to import

    run_fit(FitOptions(**options))
