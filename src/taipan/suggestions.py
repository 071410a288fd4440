"""Which of the allowed names was meant by one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Ask, as the continuation of a message, whether the nearest allowed name was meant."""
    match = difflib.get_close_matches(name, list(allowed), n=1)
    return f"; did you mean '{match[0]}'?" if match else ""
