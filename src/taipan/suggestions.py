"""Which of the allowed names was meant by one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Ask, as the continuation of a message, whether the nearest allowed name was meant."""
    match = difflib.get_close_matches(name, list(allowed), n=1)
    return f"; did you mean '{match[0]}'?" if match else ""


def unknown(path: str, value: str, what: str, allowed: Iterable[str]) -> str:
    """Write the message for a name that does not exist.

    Parameters
    ----------
    path
        Key path.
    value
        The name found there.
    what
        What it should have been the name of, without article.
    allowed
        Names that exist.
    """
    names = list(allowed)
    article = "an" if what[0] in "aeiou" else "a"
    return (
        f"{path}: '{value}' is not {article} {what}{nearest(value, names)} "
        f"({', '.join(names) or 'there is none'})"
    )
