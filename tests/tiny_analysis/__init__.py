"""An analysis of two numbers an event, as tests import it; ``selection.py`` is its file."""

from tests.tiny_analysis.selection import ANALYSIS, write_events, write_network

__all__ = ["ANALYSIS", "write_events", "write_network"]
