"""The command ``taipan fit``: a workspace, ours or anyone's, from the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

MODES = ("observed", "asimov", "background", "control")

_TEXT = "Fit a pyhf workspace and print what it says; --out keeps everything as JSON."


def add_fit_command(commands: Any) -> None:
    """Register ``fit`` among the subcommands of ``taipan``."""
    parser = commands.add_parser("fit", help="fit a pyhf workspace", description=_TEXT)
    parser.set_defaults(run=_run)
    parser.add_argument("workspace", type=Path, metavar="WORKSPACE.json")
    parser.add_argument("--out", type=Path, metavar="RESULT.json", help="write the result")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw what was computed")
    parser.add_argument("--hs3", type=Path, metavar="HS3.json", help="the workspace as HS3")
    parser.add_argument("--hepdata", type=Path, metavar="FILE.tar.gz", help="HEPData submission")
    parser.add_argument("--tables", type=Path, metavar="FOLDER", help="CSV and LaTeX tables")
    what = parser.add_argument_group("what is computed beside the fit")
    what.add_argument("--impacts", action="store_true", help="impacts and breakdown by group")
    what.add_argument("--limit", action="store_true", help="CLs limit, asymptotic")
    what.add_argument("--gof", action="store_true", help="saturated goodness of fit")
    what.add_argument("--compatibility", action="store_true", help="agreement of the regions")
    what.add_argument(
        "--scan", action="append", default=[], metavar="A[,B]", help="profile of one or two"
    )
    what.add_argument(
        "--toys", type=int, default=0, metavar="N",
        help="pseudo-experiments at the best fit; also for --limit and --gof",
    )  # fmt: skip
    what.add_argument("--yields", type=Path, metavar="OTHER.json", help="predict another workspace")
    data = parser.add_argument_group("which data and model")
    data.add_argument("--asimov", action="store_true", help="short for --mode asimov")
    data.add_argument("--mode", choices=MODES, help="observed (default) or a blinded mode")
    data.add_argument("--mu", type=float, default=1.0, help="signal strength of Asimov data")
    data.add_argument(
        "--control", nargs="+", default=[], metavar="REGION", help="of --mode control"
    )
    data.add_argument("--regions", nargs="+", metavar="REGION", help="fit only these")
    data.add_argument("--measurement", metavar="NAME", help="default: the first")
    data.add_argument(
        "--interpolation", action="append", default=[], metavar="KIND=CODE",
        help="normsys=code1 or histosys=code0, in place of pyhf's defaults",
    )  # fmt: skip
    data.add_argument("--groups", type=Path, metavar="GROUPS.json", help="parameter to group")
    data.add_argument("--level", type=float, default=0.95, help="confidence level of the limit")
    data.add_argument("--seed", type=int, default=1, help="of the pseudo-experiments")
    data.add_argument(
        "--lenient", action="store_true",
        help="accept, with a note: bounds that hold a parameter, zero signals, idle parameters",
    )  # fmt: skip


def _run(options: argparse.Namespace) -> None:
    from taipan.inference.command import run_fit  # pyhf takes a second to import

    run_fit(options)
