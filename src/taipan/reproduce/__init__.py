"""Bundles of a finished run, and the check that a new run gives the same numbers."""

from taipan.reproduce.bundle import Bundle, read_bundle, write_bundle
from taipan.reproduce.compare import Difference, compare_results

__all__ = ["Bundle", "Difference", "compare_results", "read_bundle", "write_bundle"]
