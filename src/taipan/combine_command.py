"""The commands ``taipan combine`` and ``taipan combine-results``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

_WORKSPACES = (
    "Put the regions of several pyhf workspaces into one. Parameters are not correlated unless "
    "--correlate says so."
)
_RESULTS = (
    "Combine results whose correlation is not known (arXiv:2410.22333): the intervals cover "
    "whatever it is."
)


def add_combine_commands(commands: Any) -> None:
    """Register ``combine`` and ``combine-results`` among the subcommands of ``taipan``."""
    parser = commands.add_parser("combine", help="combine workspaces", description=_WORKSPACES)
    parser.set_defaults(run=_run_workspaces)
    parser.add_argument(
        "workspaces", nargs="+", metavar="NAME=WORKSPACE.json",
        help="name of the analysis, which its regions and parameters get, and its workspace",
    )  # fmt: skip
    parser.add_argument(
        "--correlate", action="append", default=[], metavar="COMMON=A:X,B:Y",
        help="one parameter for X of A and Y of B; COMMON alone: for those of that name; repeated",
    )  # fmt: skip
    parser.add_argument(
        "--poi", default="mu", metavar="NAME", help="common parameter of interest (default: mu)"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="COMBINED.json")
    results = commands.add_parser(
        "combine-results", help="combine results of unknown correlation", description=_RESULTS
    )
    results.set_defaults(run=_run_results)
    results.add_argument("results", type=Path, metavar="RESULTS.json")
    results.add_argument(
        "--level", type=float, default=3.0, metavar="Z",
        help="standard deviations up to which intervals are conservative (default: 3)",
    )  # fmt: skip
    results.add_argument("--out", type=Path, metavar="COMBINED.json", help="write the combination")


def _run_workspaces(options: argparse.Namespace) -> None:
    from taipan.inference.combine_command import run_combine  # pyhf takes a second to import

    run_combine(options)


def _run_results(options: argparse.Namespace) -> None:
    from taipan.inference.combine_command import run_combine_results

    run_combine_results(options)
