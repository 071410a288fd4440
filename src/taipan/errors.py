"""Errors that a user can act on."""

from __future__ import annotations


class TaipanError(ValueError):
    """Bad input or a failed check, with a message that names it; shown without a traceback."""
