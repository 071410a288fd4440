"""Errors of files that other programs have written."""

from __future__ import annotations

from pathlib import Path

from taipan.errors import TaipanError


class ExchangeError(TaipanError):
    """A file that cannot be translated; the message names the file, and its line or object."""


class CardError(ExchangeError):
    """A line of a datacard that is wrong, or means something that a workspace cannot hold."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}: line {line}: {message}")
