"""A stage by hand: its signature as options, its docstring as their help."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import click
import yaml
from pydantic import ValidationError

from taipan.errors import TaipanError
from taipan.jobs.signature import REQUIRED, Argument, is_container, list_arguments, pack
from taipan.scripting import run_call

_ENTRY = re.compile(r"^(\w+(?:, \w+)*)(?: : .*)?$")
_DEFAULTS = {"threads": 1, "code": "by hand"}
_NESTED = "JSON, or a JSON or YAML file"


def run_by_hand(stage: Callable[..., Any], words: Sequence[str] | None = None) -> None:
    """Run a stage with the words of the command line; ends the process.

    The files have no records of what they were made from, so the workflow makes them again.

    Parameters
    ----------
    stage
        The function.
    words
        Options and values; those of the process by default.
    """
    make_command(stage).main(words, prog_name=f"python -m taipan.stages.{stage.__name__}")


def make_command(stage: Callable[..., Any]) -> click.Command:
    """Make the command of a stage."""
    arguments, texts = list_arguments(stage), describe_arguments(stage)

    def call(log: str | None, **values: Any) -> None:
        def run() -> None:
            given = {
                item.name: _read(item, values[item.name])
                for item in arguments
                if _is_given(item, values[item.name])
            }
            stage(**pack(stage, given))

        run_call(stage.__name__, run, log)

    options = [_make_option(item, texts.get(item.name, "")) for item in arguments]
    options.append(click.Option(["--log"], metavar="FILE", help="Write the log there, too."))
    return click.Command(
        stage.__name__, callback=call, params=list(options), help=_summary(inspect.getdoc(stage))
    )


def _make_option(argument: Argument, text: str) -> click.Option:
    is_required = argument.default is REQUIRED and not argument.may_be_absent
    named: dict[str, Any] = {"required": is_required, "help": text}
    if argument.name in _DEFAULTS:
        named |= {"required": False, "default": _DEFAULTS[argument.name], "show_default": True}
    if argument.is_list:
        named |= {"multiple": True, "metavar": "TEXT (repeated)", "required": False}
    elif argument.hint in (str, int, float):
        named["type"] = argument.hint
    else:
        named["metavar"] = _NESTED
    return click.Option([f"--{argument.name.replace('_', '-')}", argument.name], **named)


def _is_given(argument: Argument, value: Any) -> bool:
    if argument.is_list:
        return bool(value) or argument.default is REQUIRED
    return value is not None or argument.may_be_absent


def _read(argument: Argument, value: Any) -> Any:
    """Give the text of an option the type of its argument."""
    if value is None or argument.is_list or argument.hint in (str, int, float):
        return argument.convert(value)
    try:
        is_text = value.lstrip()[:1] in ("{", "[", '"') or not Path(value).is_file()
        content = json.loads(value) if is_text else yaml.safe_load(Path(value).read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TaipanError(f"--{argument.name}: {value!r} is not allowed ({_NESTED})") from error
    try:
        return argument.convert(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise TaipanError(f"--{argument.name}: {place}: {first['msg']}") from error


def describe_arguments(stage: Callable[..., Any]) -> dict[str, str]:
    """Argument → what the docstring of the stage says of it, or that of its container."""
    texts = read_section(inspect.getdoc(stage), "Parameters")
    for hint in get_type_hints(stage).values():
        if is_container(hint):
            texts |= _describe_fields(hint)
    return texts


def _describe_fields(container: Any) -> dict[str, str]:
    texts = read_section(inspect.getdoc(container), "Attributes")
    for hint in (get_type_hints(container)[item.name] for item in fields(container)):
        if is_container(hint):
            texts |= _describe_fields(hint)
    return texts


def read_section(text: str | None, section: str) -> dict[str, str]:
    """Read a section of a NumPy docstring: name → description.

    Parameters
    ----------
    text
        The docstring, without indentation.
    section
        Its title, for instance ``Parameters``.
    """
    match = re.search(rf"^{section}\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", text or "", re.S | re.M)
    found: dict[str, str] = {}
    names: list[str] = []
    for line in match.group(1).splitlines() if match else []:
        entry = _ENTRY.match(line)
        if entry:
            names = entry.group(1).split(", ")
        for name in names if line.startswith(" ") else ():
            found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found


def _summary(text: str | None) -> str:
    """Take what stands before the sections of a docstring."""
    return re.split(r"\n\n\w+\n-+\n", text or "")[0]
