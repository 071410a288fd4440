"""Differences between pseudo-data and simulation that are put in on purpose.

Each family changes one kind of input of the analysis. ``jets`` and ``met`` are visible in the
control region of W+jets; ``tau`` changes genuine hadronic taus only, and the taus of that region
are jets.
"""

from __future__ import annotations

from dataclasses import dataclass

MISMODELLING_FAMILIES = ("none", "jets", "met", "tau")
"""Allowed values of ``FastsimSettings.mismodelling_family``."""

# Sizes at `mismodelling_size: 1`: one to three times the uncertainties of CMS at 8 TeV (jet energy
# scale 1-3 %, JINST 12 (2017) P02014; unclustered energy 10 %, JINST 10 (2015) P02006; tau energy
# scale 3 %, JINST 11 (2016) P01019), so that a few fb^-1 show them.
_JET_SCALE = 0.05
_EXTRA_JET_PROBABILITY = 0.10
_UNCLUSTERED_SCALE = -0.20
_EXTRA_MET_WIDTH = 8.0
_TAU_SCALE = 0.03


@dataclass(frozen=True)
class DetectorDifference:
    """What the detector of the pseudo-data does differently.

    ``jet_scale``, ``unclustered_scale`` and ``tau_scale`` are relative shifts (0.05 is +5 %) of
    the energy of jets (missing momentum follows), of the unclustered energy and of genuine
    hadronic taus (missing momentum follows). ``extra_jet_probability`` is the probability of one
    more radiated jet, ``extra_met_width`` a Gaussian width in GeV added to each component of the
    missing momentum.
    """

    jet_scale: float = 0.0
    extra_jet_probability: float = 0.0
    unclustered_scale: float = 0.0
    extra_met_width: float = 0.0
    tau_scale: float = 0.0


def make_mismodelling(family: str, size: float) -> DetectorDifference:
    """Return the shifts of a family at a size (1 is the default magnitude, 0 is nothing).

    Raises
    ------
    KeyError
        If the family is not one of ``MISMODELLING_FAMILIES``.
    """
    return {
        "none": DetectorDifference(),
        "jets": DetectorDifference(
            jet_scale=_JET_SCALE * size, extra_jet_probability=_EXTRA_JET_PROBABILITY * abs(size)
        ),
        "met": DetectorDifference(
            unclustered_scale=_UNCLUSTERED_SCALE * size,
            extra_met_width=_EXTRA_MET_WIDTH * abs(size),
        ),
        "tau": DetectorDifference(tau_scale=_TAU_SCALE * size),
    }[family]
