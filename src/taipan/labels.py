"""Words that more than one room writes into files, and reads from them."""

from __future__ import annotations

DATA = "data"
"""Process of the histograms that holds what was observed."""
NOMINAL = "nominal"
"""Variation of the histograms that holds the events as they are."""
SCORE = "nn_score"
"""Observable that the networks make; of several networks the one that is the result."""
TREE = "Events"
"""Tree of the events in a NanoAOD file."""


def name_score(network: str) -> str:
    """Name the observable of a network that stands beside the result."""
    return f"{SCORE}_{network}"


def is_score(observable: str) -> bool:
    """Tell whether an observable is the score of a network."""
    return observable == SCORE or observable.startswith(f"{SCORE}_")
