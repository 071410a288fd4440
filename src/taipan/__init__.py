"""Taipan: LHC Open Data to a fitted signal strength, with machine learning in the middle."""

__version__ = "0.1.0"
