"""Taipan: LHC Open Data to a fitted signal strength, with machine learning in the middle."""

from __future__ import annotations

__version__ = "0.1.0"
