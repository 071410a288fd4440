"""Write the pages of the reference that follow from the code: commands and stages.

python .ci/reference.py
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from taipan.cli.main import taipan
from taipan.jobs.command import describe_arguments
from taipan.jobs.signature import REQUIRED, Argument, list_arguments

ROOT = Path(__file__).parents[1]
STAGES = ROOT / "src/taipan/stages"
MADE = "<!-- made by `python .ci/reference.py`, do not edit -->"
CLI_HEAD = f"""# Commands

{MADE}

Every command of `taipan`, with its options. `taipan COMMAND --help` prints the same.

| exit status | meaning |
| --- | --- |
| 0 | done |
| 1 | an error, which the last line names; of `taipan reproduce` also a number that differs |
| 2 | a wrong command line |
| 141 | whoever read the output has gone, as in `taipan show results/demo \\| head -1` |

"""
STAGES_HEAD = f"""# Stages

{MADE}

A stage is one job of the workflow, and a function of the same name. To run one alone, see
[one job by hand](../stages.md). An argument whose type stands in brackets may be left out.

"""


def cell(text: str) -> str:
    """Put a text into a cell of a table."""
    text = re.sub(r"``([^`]+)``", r"`\1`", re.sub(r":\w+:`~?\.?([^`]+)`", r"`\1`", text))
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a command, and of those inside it."""
    # with its settings: the command keeps the help option that it is asked for first
    context = click.Context(command, info_name=path[-1], **command.context_settings)
    if len(path) > 1:
        usage = " ".join([*path, *command.collect_usage_pieces(context)])
        prose, _, shown = inspect.cleandoc(command.help or "").partition("\n\b\n")
        about = prose.strip().replace("\n\n", "\n").splitlines()
        if shown:  # lines of `taipan.cli.words.examples`
            about += ["", "```console", *(f"$ {line}" for line in shown.splitlines()), "```"]
        yield from (f"## `{' '.join(path)}`", "", "```text", usage, "```", "", *about, "")
        options = [
            one for one in command.params if isinstance(one, click.Option) and not one.hidden
        ]
        if options:
            yield from ("| option | value | meaning |", "| --- | --- | --- |")
            yield from (option_row(one, context) for one in options)
            yield ""
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from commands(command.commands[name], (*path, name))


def option_row(option: click.Option, context: click.Context) -> str:
    """Give the row of an option."""
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else cell(option.make_metavar(context))
    need = " Required." if option.required else ""
    return f"| {names} | {value} | {(cell(option.help or '') + need).strip()} |"


def stage(name: str) -> Iterator[str]:
    """Yield the lines of a stage."""
    function: Callable[..., Any] = getattr(importlib.import_module(f"taipan.stages.{name}"), name)
    texts = describe_arguments(function)
    summary = (inspect.getdoc(function) or "").partition("\n\n")[0]
    yield from (f"## `{name}`", "", cell(summary), "")
    yield from ("| argument | type | meaning |", "| --- | --- | --- |")
    for item in list_arguments(function):
        yield f"| `{item.name}` | {describe_type(item)} | {cell(texts.get(item.name, ''))} |"
    yield ""


def describe_type(item: Argument) -> str:
    """Say of what type an argument is, in brackets if it may be left out."""
    if item.is_figures:
        text = "figures"
    elif item.is_grouped:
        text = "files of each dataset"
    elif item.is_list:
        text = "list of text"
    else:
        text = cell(re.sub(r"[\w.]+\.", "", getattr(item.hint, "__name__", str(item.hint))))
        text = text if "[" not in str(item.hint) else cell(re.sub(r"[\w.]+\.", "", str(item.hint)))
    plain = {"str": "text", "int": "integer", "float": "number"}
    text = plain.get(text, text if " " in text and "[" not in text else f"`{text}`")
    return f"({text})" if item.may_be_absent or item.default is not REQUIRED else text


def texts() -> dict[Path, str]:
    """Give the path and the text of each page."""
    names = sorted(path.stem for path in STAGES.glob("*.py") if path.stem != "__init__")
    lists = [line for name in names for line in stage(name)]
    return {
        ROOT / "docs/reference/cli.md": CLI_HEAD + "\n".join(commands(taipan, ("taipan",))),
        ROOT / "docs/reference/stages.md": STAGES_HEAD + "\n".join(lists),
    }


def main() -> int:
    """Write the pages that changed."""
    for path, text in texts().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
