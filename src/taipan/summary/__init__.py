"""The summary of a run: ``summary.json`` for programs, ``summary.md`` for people."""

from __future__ import annotations

from taipan.summary.collect import RunIdentity, RunResults, hash_result, summarise
from taipan.summary.read import Yields, read_gates, read_seconds, read_yields
from taipan.summary.text import to_markdown

__all__ = [
    "RunIdentity",
    "RunResults",
    "Yields",
    "hash_result",
    "read_gates",
    "read_seconds",
    "read_yields",
    "summarise",
    "to_markdown",
]
