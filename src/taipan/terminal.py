"""Printing to any terminal: symbols it does not have, pipes that end, names with control codes."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import select
import sys
import unicodedata
import warnings
from collections.abc import Iterator
from typing import TextIO

from taipan.errors import TaipanError

CLOSED_PIPE = 141
"""Exit status of a command whose reader has gone: 128 + SIGPIPE, as the shell gives it."""

_ERRORS = "taipan.symbols"
_SYMBOLS = {
    "±": "+-", "∓": "-+", "×": "x", "·": "*", "÷": "/", "−": "-", "⁻": "-", "⁺": "+",
    "→": "->", "←": "<-", "↔": "<->", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "∝": "~",
    "√": "sqrt", "∞": "inf", "∑": "Sum ", "∫": "Int ", "∈": "in", "°": " deg", "‰": " permille",
    "‘": "'", "’": "'", "“": '"', "”": '"', "…": "...", "–": "-", "—": "-", "•": "*",
    "λ": "lambda", "Λ": "Lambda", "ϵ": "epsilon", "ϕ": "phi", "µ": "mu",
}  # fmt: skip


@contextlib.contextmanager
def hide_numerical_warnings() -> Iterator[None]:
    """Keep warnings of NumPy and SciPy off the terminal inside the block.

    What they hint at is checked and named by an error. The filters come last, so that those of
    ``python -W`` and of the tests count.
    """
    from scipy.integrate import IntegrationWarning
    from scipy.optimize import OptimizeWarning

    with warnings.catch_warnings():
        for category in (RuntimeWarning, OptimizeWarning, IntegrationWarning):
            warnings.simplefilter("ignore", category, append=True)
        yield


def fold_symbols(text: str) -> str:
    """Write a text in ASCII: σ is sigma, ± is +-, é is e; what has no such name is escaped."""
    return "".join(c if c.isascii() else _fold(c) for c in text)


def _fold(character: str) -> str:
    if character in _SYMBOLS:
        return _SYMBOLS[character]
    name = unicodedata.name(character, "")
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (?:FINAL )?([A-Z]+)", name)
    if greek:
        size, letter = greek[1], greek[2]
        return letter.lower() if size == "SMALL" else letter.capitalize()
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or character.encode("ascii", "backslashreplace").decode()


def takes_symbols(stream: TextIO | None = None) -> bool:
    """Tell whether a stream (standard output by default) can show σ and ±."""
    encoding = getattr(sys.stdout if stream is None else stream, "encoding", None) or "utf-8"
    try:
        "σμχ±²→−≥".encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def prepare_streams() -> None:
    """Let standard output and error replace what their encoding lacks, in place of an error."""
    codecs.register_error(_ERRORS, _replace)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_ERRORS)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return fold_symbols(error.object[error.start : error.end]), error.end


def flush_streams() -> None:
    """Write what is buffered, so that an error shows now and not when Python ends.

    Raises
    ------
    BrokenPipeError
        If the reader has gone.
    TaipanError
        If the output cannot be written, for instance on a full disk.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            _drop(stream)
            raise TaipanError(f"cannot write the output: {error.strerror}") from error


def drop_closed_pipes() -> bool:
    """Send standard streams whose reader has gone to nowhere.

    Returns
    -------
    bool
        Whether there was one.
    """
    found = False
    for stream in (sys.stdout, sys.stderr):
        try:
            number = stream.fileno()
        except (AttributeError, OSError, ValueError):
            continue  # not a file
        if _has_no_reader(number):
            _drop(stream)
            found = True
    return found


def _drop(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _has_no_reader(number: int) -> bool:
    poll = select.poll()
    poll.register(number, 0)  # errors and ends are reported whatever is asked for
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
