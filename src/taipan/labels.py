"""Words that more than one room writes into files, and reads from them."""

from __future__ import annotations

from typing import Literal

Sides = Literal["both", "mirrored", "averaged", "denoised"]
"""Two templates as filled; the up template mirrored onto down; ± half their difference; the same,
with what of their mean is more than noise."""
DATA = "data"
"""Process of the histograms that holds what was observed."""
NOMINAL = "nominal"
"""Variation of the histograms that holds the events as they are."""
SCORE = "nn_score"
"""Observable that the networks make, the score of the signal; of several that of the result."""
LARGEST_CLASS = "nn_class"
"""Class whose score is the largest, in cuts: ``nn_class == "ztt"``."""
TREE = "Events"
"""Tree of the events in a NanoAOD file."""
SUMS_BRANCHES = {
    "LHEScaleWeight": "LHEScaleSumw",
    "LHEPdfWeight": "LHEPdfSumw",
    "PSWeight": "PSSumw",
}
"""Branch of the weights → branch of the tree ``Runs`` with their sums."""


def name_score(name: str) -> str:
    """Name the score of a class, or the observable of a network that stands beside the result."""
    return f"{SCORE}_{name}"


def name_shifts(observable: str) -> str:
    """Name the histogram with the statistical errors of an observable's shifts."""
    return f"{observable}.shifts"


def is_score(observable: str) -> bool:
    """Tell whether a quantity is a score, known only after the networks were asked."""
    return observable in (SCORE, LARGEST_CLASS) or observable.startswith(f"{SCORE}_")
