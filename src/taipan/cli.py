"""The command ``taipan``."""

import sys

if __name__ == "__main__" and not __package__ and not sys.flags.safe_path:
    del sys.path[0]  # the folder of this file, which was run as a script: its modules are no others

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taipan.analysis import load_analysis
from taipan.analysis_choice import find_analysis, trusted_module
from taipan.clean_text import escape_controls
from taipan.combine_command import add_combine_commands
from taipan.config import document
from taipan.config.check_fit import fitted_regions
from taipan.config.checks import check_config
from taipan.config.load import ANALYSES, load_catalogue, read_config
from taipan.config.sections.remote import Remote
from taipan.config.sections.skim import Skim
from taipan.datasets import total_luminosity
from taipan.errors import TaipanError, explain_system_error
from taipan.fit_command import add_fit_command
from taipan.import_path import drop_folder
from taipan.provenance_command import add_provenance_command
from taipan.reproduce.command import add_reproduce_commands
from taipan.suggestions import SuggestingParser
from taipan.terminal import (
    CLOSED_PIPE,
    drop_closed_pipes,
    flush_streams,
    prepare_streams,
)


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
    """
    prepare_streams()
    try:
        try:
            _run(arguments)
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
    return 0


def _complain(message: str) -> int:
    print(f"taipan: error: {escape_controls(message)}", file=sys.stderr)
    return 1


def _run(arguments: Sequence[str] | None) -> None:
    options, rest = _parser().parse_known_args(arguments)
    if rest and options.run is not _print_results_folder:  # which is handed Snakemake's options
        _parser().error(f"unrecognised arguments: {' '.join(rest)}")
    options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = SuggestingParser(
        prog="taipan", description="Open data to a fitted Higgs boson signal strength."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    config = commands.add_parser("config", help="the configuration: check it, document it")
    actions = config.add_subparsers(title="actions", required=True, metavar="ACTION")
    for name, run, text in (
        ("check", _check, "check the configuration, with overlays, and say what it holds"),
        ("quantities", _print_quantities, "list the quantities and shifts of the analysis"),
        ("defaults", _print_defaults, "print config/config.yaml with every default"),
        ("schema", _print_schema, "print the JSON schema of a configuration file"),
        ("manual", _print_manual, "print the tables of the manual"),
        ("write", _write, "write the three generated documents where they changed"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.set_defaults(run=run)
        if name in ("check", "quantities"):
            action.add_argument(
                "--config",
                nargs="+",
                action="extend",
                default=[],
                metavar="FILE",
                help="overlay, merged over config/config.yaml in the order given",
            )
            _add_module(action)
        if name in ("check", "quantities", "write"):
            action.add_argument(
                "--root",
                type=Path,
                default=Path(),
                metavar="FOLDER",
                help="folder that holds config/ (default: the working directory)",
            )
    _add_skim(commands)
    add_fit_command(commands)
    add_combine_commands(commands)
    add_provenance_command(commands)
    add_reproduce_commands(commands)
    folder = commands.add_parser(
        "results-folder", help="print the folder that a run with these options writes to"
    )
    folder.set_defaults(run=_print_results_folder)
    folder.add_argument(
        "--configfile", "--configfiles", nargs="+", action="extend", default=[], metavar="FILE"
    )
    folder.add_argument(
        "--config", "-C", nargs="+", action="extend", default=[], metavar="KEY=VALUE"
    )
    return parser


def _add_module(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--module",
        metavar="NAME",
        help="analysis module outside the package that the configuration may name; it is executed",
    )


def _add_skim(commands: Any) -> None:
    text = "select the events of ROOT files into a Parquet file and print the cutflow"
    skim = commands.add_parser("skim", help=text, description=text)
    skim.set_defaults(run=_skim)
    skim.add_argument(
        "files", nargs="+", metavar="FILE", help="ROOT file, or its URL (http, https, root)"
    )
    skim.add_argument(
        "--analysis",
        default="htautau",
        metavar="NAME",
        help="analysis of config/analyses or of the package, or a module that is installed or lies "
        "in the working directory (default: htautau)",
    )
    skim.add_argument("--out", required=True, type=Path, metavar="FILE", help="Parquet file")
    skim.add_argument("--cutflow", type=Path, metavar="FILE", help="cutflow as JSON too")
    skim.add_argument(
        "--threads", type=_positive, default=1, metavar="N", help="number of processes (default: 1)"
    )
    kind = skim.add_mutually_exclusive_group()
    kind.add_argument(
        "--data", dest="is_data", action="store_true", default=None, help="collision data"
    )
    kind.add_argument("--simulation", dest="is_data", action="store_false", help="simulation")
    skim.add_argument("--flat", action="store_true", help="flat, already skimmed ntuples")
    skim.add_argument(
        "--config", nargs="+", action="extend", default=[], metavar="FILE",
        help="overlay whose sections `skim` and `remote` are used",
    )  # fmt: skip
    skim.add_argument("--root", type=Path, default=Path(), metavar="FOLDER", help="holds config/")
    _add_module(skim)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def _skim(options: argparse.Namespace) -> None:
    # imports that no other command needs
    from taipan.remote.mirrors import is_url
    from taipan.scripting import configure_logging
    from taipan.skim.command import Source, skim_files
    from taipan.skim.cutflow import format_cutflow

    configure_logging()
    name = options.analysis
    if options.config or (options.root / ANALYSES / f"{name}.yaml").is_file():
        config = read_config(options.config, options.root, analysis=name)
        module = trusted_module(config.module, options.module)
        skim, remote = config.skim, config.remote
    else:
        module = find_analysis(name, options.root)
        skim, remote = Skim(), Remote()
    source = Source(options.out.stem, options.is_data, options.flat)
    result = skim_files(
        [text if is_url(text) else Path(text) for text in options.files],
        options.out,
        module,
        skim,
        source,
        remote=remote,
        processes=options.threads,
        cutflow=options.cutflow,
    )
    print(format_cutflow(result.cutflow))
    if not result.is_data:
        size = result.generated
        print(f"generated: {size.events:,} events, Σ genWeight {size.sumw:.10g}")
    print(f"wrote {options.out}")


def _print_results_folder(options: argparse.Namespace) -> None:
    given = dict(item.split("=", 1) for item in options.config if "=" in item)
    config = read_config(options.configfile, Path())
    print(
        Path(os.path.expanduser(given.get("results", config.results)))
        / given.get("analysis", config.analysis)
    )


def _check(options: argparse.Namespace) -> None:
    config = read_config(options.config, options.root)
    catalogue = load_catalogue(config, options.root)
    check_config(config, catalogue, load_analysis(trusted_module(config.module, options.module)))
    print(
        f"{config.analysis} on {catalogue.name}: {total_luminosity(config, catalogue):g} fb⁻¹, "
        f"{len(config.samples)} samples, {len(config.regions)} regions "
        f"({len(fitted_regions(config))} fitted), {len(config.features)} features, "
        f"{len(config.systematics)} systematics; no problem found"
    )


def _print_quantities(options: argparse.Namespace) -> None:
    config = read_config(options.config, options.root)
    analysis = load_analysis(trusted_module(config.module, options.module))
    print("Quantities (cuts, features, observables, control_plots):")
    for quantity in sorted(analysis.quantities.values(), key=lambda q: q.name):
        unit = f" [{quantity.unit}]" if quantity.unit else ""
        absent = "; missing for some events" if quantity.may_be_missing else ""
        print(f"  {quantity.name:<12} {quantity.meaning}{unit}{absent}")
    print("Shifts (systematics of kind kinematic):")
    for name, shift in analysis.shifts.items():
        limit = f"; at most skim.envelope.{shift.envelope}" if shift.envelope else ""
        print(f"  {name:<16} {shift.meaning}{limit}")


def _print_defaults(_: argparse.Namespace) -> None:
    print(document.default_text(), end="")


def _print_schema(_: argparse.Namespace) -> None:
    print(document.schema_text(), end="")


def _print_manual(_: argparse.Namespace) -> None:
    print(document.tables_text())


def _write(options: argparse.Namespace) -> None:
    for path in document.write_documents(options.root):
        print(f"wrote {path}")


if __name__ == "__main__":
    drop_folder()
    sys.exit(main())
