"""Covariance of the missing momentum: as a file has it, or made of vertices and jets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Covariance = tuple[Array, Array, Array]
"""xx, xy and yy in GeV², shape (n,) each."""

# |xy| / √(xx yy) above which two components count as one: such a matrix has no useful inverse
_LARGEST_CORRELATION = 0.999


def parametrised_covariance(
    constant: float, per_vertex: float, vertices: Array, jets: Sequence[tuple[Array, Array, Array]]
) -> Covariance:
    """Make a covariance of pile-up, which has no direction, and of jets along theirs.

    Parameters
    ----------
    constant, per_vertex
        Resolution of a component without pile-up, and what a vertex adds in quadrature, in GeV.
    vertices
        Reconstructed vertices, shape (n,).
    jets
        Transverse momentum, its resolution (GeV) and azimuth (rad) of a jet of each event, shape
        (n,) each; NaN where there is none.
    """
    isotropic = constant**2 + per_vertex**2 * np.maximum(vertices, 0.0)
    xx, xy, yy = isotropic, np.zeros_like(isotropic), isotropic
    for pt, resolution, phi in jets:
        present = np.isfinite(pt + resolution + phi) & (pt > 0)
        variance = np.where(present, resolution, 0.0) ** 2
        cosine, sine = (function(np.where(present, phi, 0.0)) for function in (np.cos, np.sin))
        xx = xx + variance * cosine**2
        xy = xy + variance * cosine * sine
        yy = yy + variance * sine**2
    return xx, xy, yy


def is_positive_definite(covariance: Covariance) -> Array:
    """Tell where a matrix can be inverted, shape (n,); a number that is none cannot."""
    xx, xy, yy = covariance
    largest = _LARGEST_CORRELATION**2 * xx * yy
    found: Array = np.isfinite(xx + xy + yy) & (xx > 0) & (yy > 0) & (xy**2 < largest)
    return found
