"""A penalty on the curvature of an unfolded spectrum, as a region of a HistFactory model.

Likelihood unfolding without it is unbiased, and neighbouring bins are anticorrelated where the
resolution is as wide as they are. The penalty ½·Σ(μ₋ - 2μ + μ₊)²/size² draws the strengths of
neighbours onto a line (A. N. Tikhonov; arXiv:1112.2226, section 4). A bin that expects
N + K·(μ₋ - 2μ + μ₊) events and has N gives just that for K = √N/size, as N is large; so the file is
complete, and any tool that reads it fits the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

CURVATURE = "curvature_"
"""Beginning of the name of the region."""
CURVATURE_EVENTS = 1e8


def make_curvature_region(
    name: str, strengths: Sequence[str], size: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the region that holds the penalty, and its observation.

    Parameters
    ----------
    name
        The sample that is unfolded.
    strengths
        Parameters of its truth bins, in order, three at least.
    size
        Standard deviation of a second difference of strengths.
    """
    bins = len(strengths) - 2
    slope = np.sqrt(CURVATURE_EVENTS) / size
    region = f"{CURVATURE}{name}"
    flat = {"name": region, "data": [CURVATURE_EVENTS] * bins, "modifiers": []}
    samples = [flat]
    for i, strength in enumerate(strengths):
        data = np.zeros(bins)
        for row, weight in ((i - 2, 1.0), (i - 1, -2.0), (i, 1.0)):
            if 0 <= row < bins:
                data[row] += weight * slope
        modifier = {"name": strength, "type": "normfactor", "data": None}
        made = {"name": f"{region}_{i}", "data": data.tolist(), "modifiers": [modifier]}
        samples.append(made)
    return {"name": region, "samples": samples}, {
        "name": region,
        "data": [CURVATURE_EVENTS] * bins,
    }
