"""What all commands share: options with several values, paths, and errors with a suggestion."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click as plain
import rich_click as click

from taipan.suggestions import nearest

SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
"""Settings of every command."""
PATH = click.Path(path_type=Path)
"""A path; whether it exists is for the command to say."""


Function = TypeVar("Function", bound=Callable[..., Any])


def examples(*lines: str) -> Callable[[Function], Function]:
    """Show command lines below the help of a command, as they are written.

    Parameters
    ----------
    lines
        ``taipan show results/demo``.
    """

    def add(function: Function) -> Function:
        # a paragraph that begins with this character keeps its lines
        shown = "\n".join(lines)
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n\b\n{shown}"
        return function

    return add


class SeveralOption(click.RichOption):
    """An option that takes one value or more (``--config A B``), and may be repeated."""

    def __init__(self, *names: Any, **attributes: Any) -> None:
        super().__init__(*names, **{**attributes, "multiple": True})


class Command(click.RichCommand):
    """A command with options of several values."""

    def parse_args(self, ctx: plain.Context, args: list[str]) -> list[str]:
        """Read the arguments, with a name before each value."""
        several = {
            name
            for parameter in self.params
            if isinstance(parameter, SeveralOption)
            for name in parameter.opts
        }
        try:
            return super().parse_args(ctx, repeat_names(args, several))
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # an option without its value does not say whose it is
            raise


class Group(click.RichGroup):
    """A command of commands."""

    command_class = Command


class Choice(click.Choice[str]):
    """One of some words."""

    def convert(self, value: Any, param: Any, ctx: plain.Context | None) -> str:
        """Give the word.

        Raises
        ------
        click.BadParameter
            If it is none of them; names them, and the nearest.
        """
        words = [str(choice) for choice in self.choices]
        if value not in words:
            self.fail(f"{value!r} is not allowed ({', '.join(words)})" + nearest(value, words))
        return str(value)


class PositiveInteger(click.IntRange):
    """A number from 1 on."""

    name = "integer"

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: Any, ctx: plain.Context | None) -> int:
        """Give the number.

        Raises
        ------
        click.BadParameter
            If it is no whole number, or below 1.
        """
        number = click.INT.convert(value, param, ctx)
        if number < 1:
            self.fail(f"{number} is not positive")
        return int(number)


def repeat_names(arguments: Sequence[str], several: set[str]) -> list[str]:
    """Write the name of an option before each of its values.

    Parameters
    ----------
    arguments
        ``--config a b --out c``.
    several
        Names of options that take several values: ``--config``.

    Returns
    -------
    list of str
        ``--config a --config b --out c``.
    """
    found: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*found, word, *rest]
        values = []
        if word in several:
            values = list(itertools.takewhile(lambda text: not text.startswith("-"), rest))
            del rest[: len(values)]
        found += [part for value in values for part in (word, value)] or [word]
    return found


def explain_usage(error: click.UsageError) -> str:
    """Say what is wrong with a command line: its usage, and a line with the error.

    The line ends with the nearest command, option or word, if there is one.
    """
    context = error.ctx
    if context is None:  # of none of our commands
        return f"taipan: error: {error.format_message()}"
    pieces = " ".join(context.command.collect_usage_pieces(context))
    where = context.command_path
    return f"usage: {where} {pieces}\n{where}: error: {_message(error)}"


def _message(error: click.UsageError) -> str:
    context = error.ctx
    if isinstance(error, plain.NoSuchOption):
        allowed = [] if context is None else _options(context.command)
        return f"'{error.option_name}' is not an option{nearest(error.option_name, allowed)}"
    if isinstance(error, plain.exceptions.NoSuchCommand):
        command = None if context is None else context.command
        allowed = list(command.commands) if isinstance(command, plain.Group) else []
        known = f" ({', '.join(allowed)})" if allowed else ""
        return f"'{error.command_name}' is not a command{known}" + nearest(
            error.command_name, allowed
        )
    if isinstance(error, click.BadParameter) and not isinstance(error, plain.MissingParameter):
        parameter = error.param
        name = parameter.opts[-1] if isinstance(parameter, click.Option) else None
        name = name or (parameter.human_readable_name if parameter is not None else "")
        return f"{name}: {error.message}"
    return error.format_message().rstrip(".")


def _options(command: plain.Command) -> list[str]:
    """Names of the options of a command and of those below it."""
    names = [name for parameter in command.params for name in (*parameter.opts, "--help")]
    if isinstance(command, plain.Group):
        names += [name for other in command.commands.values() for name in _options(other)]
    return [name for name in names if name.startswith("--")]
