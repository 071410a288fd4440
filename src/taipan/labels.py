"""Words that more than one room writes into files, and reads from them."""

from __future__ import annotations

DATA = "data"
"""Process of the histograms that holds what was observed."""
NOMINAL = "nominal"
"""Variation of the histograms that holds the events as they are."""
SCORE = "nn_score"
"""Observable that the networks make."""
TREE = "Events"
"""Tree of the events in a NanoAOD file."""
