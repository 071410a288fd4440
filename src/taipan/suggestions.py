"""Which of the allowed names was meant by one that does not exist."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterable
from typing import NoReturn


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Ask, as the continuation of a message, whether the nearest allowed name was meant."""
    match = difflib.get_close_matches(name, list(allowed), n=1)
    return f"; did you mean '{match[0]}'?" if match else ""


class SuggestingParser(argparse.ArgumentParser):
    """Parser of a command line that asks which command, option or choice was meant."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, with a suggestion if there is one, and exit."""
        super().error(message + self._suggestion(message))

    def _suggestion(self, message: str) -> str:
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)$", message)
        if choice:
            return nearest(choice[1], re.findall(r"[^\s',]+", choice[2]))
        option = re.search(r"unrecogni[sz]ed arguments: (--[\w-]+)", message)
        return nearest(option[1], _option_names(self)) if option else ""


def _option_names(parser: argparse.ArgumentParser) -> set[str]:
    """Options of a parser and of its subcommands."""
    names: set[str] = set()
    for action in parser._actions:
        names.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                names |= _option_names(command)
    return names
