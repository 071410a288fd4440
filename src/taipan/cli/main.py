"""The command ``taipan``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import rich_click as click
from click.exceptions import Exit
from click.shell_completion import shell_complete

from taipan import __version__
from taipan.analysis_folder import explain_own_error
from taipan.clean_text import escape_controls
from taipan.cli.certify import certify
from taipan.cli.combine import combine, combine_results
from taipan.cli.config import check, config
from taipan.cli.exchange import export, import_model
from taipan.cli.fit import fit
from taipan.cli.new import new
from taipan.cli.provenance import provenance
from taipan.cli.publish import publish
from taipan.cli.reproduce import bundle, reproduce
from taipan.cli.results_folder import results_folder
from taipan.cli.show import datasets, plot, run, show
from taipan.cli.skim import skim
from taipan.cli.words import SETTINGS, Group, examples, explain_usage
from taipan.errors import TaipanError, explain_system_error
from taipan.terminal import (
    CLOSED_PIPE,
    drop_closed_pipes,
    flush_streams,
    prepare_streams,
)

COMPLETE = "_TAIPAN_COMPLETE"
"""Variable of the environment by which a shell asks for completions (``docs/index.md``)."""


@click.group(cls=Group, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="taipan", message="%(prog)s %(version)s")
@examples(
    "taipan new demo                             a small analysis of your own",
    "taipan check                                is the configuration valid?",
    "taipan run --config analysis=demo           run it",
    "taipan show results/demo                    what was found",
    "taipan export events --out events.parquet   the events for pandas",
)
def taipan() -> None:
    """Open data to a fitted signal strength.

    Exit status: 0 done; 1 an error that the last line names, numbers that differ (reproduce) or a
    red certificate (certify); 2 a wrong command line; 141 the reader of the output has gone
    (| head).
    """


for command in (
    new,
    check,
    config,
    datasets,
    run,
    show,
    plot,
    skim,
    fit,
    combine,
    combine_results,
    import_model,
    export,
    provenance,
    bundle,
    reproduce,
    certify,
    publish,
    results_folder,
):
    taipan.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        Command line without the name of the program; that of the process by default.

    Returns
    -------
    int
        0, or 1 after an error that the message on standard error names, or 141 if the reader of
        the output has gone (``| head``).

    Raises
    ------
    SystemExit
        With status 2 if the command line is wrong.
    """
    prepare_streams()
    try:
        try:
            _run(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            flush_streams()
    except TaipanError as error:
        return _complain(str(error))
    except BrokenPipeError:
        if not drop_closed_pipes():
            raise  # of another pipe: a bug
        return CLOSED_PIPE
    except (OSError, MemoryError) as error:
        explained = explain_system_error(error)
        if explained is None:
            raise
        return _complain(explained)
    except Exception as error:
        explained = explain_own_error(error)
        if explained is None:
            raise
        return _complain(explained)
    return 0


def _run(arguments: list[str]) -> None:
    # not Command.main of click, which gives closed pipes and interruptions a meaning of its own
    if COMPLETE in os.environ:
        shell_complete(taipan, SETTINGS, "taipan", COMPLETE, os.environ[COMPLETE])
        return
    try:
        with taipan.make_context("taipan", arguments) as context:
            taipan.invoke(context)
    except Exit:  # after --help and --version
        return
    except click.UsageError as error:
        print(escape_controls(explain_usage(error)), file=sys.stderr)
        sys.exit(2)


def _complain(message: str) -> int:
    print(f"taipan: error: {escape_controls(message)}", file=sys.stderr)
    return 1
