"""What a tau decay says about the share of the momentum that is visible.

A tau of momentum p leaves the visible momentum x p. At high momentum, neutrinos and visible part go
the same way, so a decay is one number x. Its density is known: averaged over the spin, it is flat
for hadrons of a given mass (two bodies), and that of the muon decay for leptons (three bodies, of
which two are not seen).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Decay = Literal["leptonic", "hadronic"]

TAU_MASS = 1.77686
"""Mass of the tau in GeV (PDG 2022)."""
LARGEST_BOUND = 0.9
"""Largest lower bound of x: a measured mass above that of the tau leaves a range of x, too."""
SMALLEST_BOUND = 1e-3
"""Smallest lower bound of x, for particles without mass."""


def smallest_fraction(mass: Array) -> Array:
    """Smallest visible fraction x = (m/m_τ)² that a visible mass in GeV allows, shape (n,)."""
    fraction: Array = (np.maximum(mass, 0.0) / TAU_MASS) ** 2
    return np.clip(fraction, SMALLEST_BOUND, LARGEST_BOUND)


def fraction_density(decay: Decay, x: Array) -> Array | float:
    """Density of the visible fraction x of a tau without polarisation, not normalised.

    Parameters
    ----------
    decay
        ``hadronic``: flat. ``leptonic``: (5 - 9 x² + 4 x³) / 3 (Tsai, Phys. Rev. D 4 (1971) 2821,
        without the mass of the lepton).
    x
        Visible fractions, any shape.
    """
    if decay == "hadronic":
        return 1.0
    density: Array = (5.0 - x * x * (9.0 - 4.0 * x)) / 3.0
    return density
