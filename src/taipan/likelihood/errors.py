"""Errors of the likelihood."""

from __future__ import annotations

from taipan.errors import TaipanError


class LikelihoodError(TaipanError):
    """Templates or configuration from which no statistical model can be built."""
