"""Errors of the inference."""

from __future__ import annotations

from taipan.errors import TaipanError


class FitError(TaipanError):
    """A fit that did not converge, or whose result has no meaning."""
