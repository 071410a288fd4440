"""The summary of a run: ``summary.json`` for programs, ``summary.md`` for people."""

from __future__ import annotations

from taipan.summary.collect import RunIdentity, RunResults, hash_result, summarise
from taipan.summary.details import FitDetails, select_details
from taipan.summary.page import to_page
from taipan.summary.read import YieldTable, read_gates, read_seconds, read_yield_table
from taipan.summary.text import to_markdown

__all__ = [
    "FitDetails",
    "RunIdentity",
    "RunResults",
    "YieldTable",
    "hash_result",
    "read_gates",
    "read_seconds",
    "read_yield_table",
    "select_details",
    "summarise",
    "to_markdown",
    "to_page",
]
