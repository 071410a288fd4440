"""Samples of the simulation: cross sections, filter efficiencies, generators.

A filter efficiency is the share of the produced events that pass the generator filter *with* a
reconstructed muon and a hadronic-tau candidate; for samples whose candidate is a jet it contains
the probability of the misidentification. The efficiencies are set so that the selected yields
agree with the public 2012 skims (CERN Open Data record 12350) at the same luminosity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from taipan.fastsim import resonances
from taipan.fastsim.generator_filter import Generator
from taipan.fastsim.hard_jets import JetSpectrum
from taipan.fastsim.other_processes import (
    QCD_OS_SS_FACTOR,
    generate_multijets,
    generate_top_pairs,
)

HIGGS_TO_TAUS = 0.0632
"""B(H -> tau tau) at 125 GeV, LHC Higgs Cross Section Working Group, Yellow Report 3."""

LUMINOSITY_2012 = 11.467
"""Integrated luminosity of both collision datasets in fb^-1 (CERN Open Data record 12350)."""

COLLISION_SHARES = {
    "Run2012B_TauPlusX": 4.412 / LUMINOSITY_2012,
    "Run2012C_TauPlusX": 7.055 / LUMINOSITY_2012,
}
"""Share of each collision dataset in the luminosity (4.412 and 7.055 fb^-1, record 12350)."""


@dataclass(frozen=True)
class Component:
    """One process of a sample.

    Attributes
    ----------
    name : str
        Name of the process.
    generate : callable
        Generator of unfiltered events.
    filter_efficiency : float
        Share of the cross section of the sample that this process has after the filter.
    signal : bool
        Whether the signal strength scales the process.
    """

    name: str
    generate: Generator
    filter_efficiency: float
    signal: bool = False


@dataclass(frozen=True)
class SimulatedSample:
    """One simulated sample: cross section in pb, branching ratio and its processes."""

    cross_section: float
    components: tuple[Component, ...]
    branching_ratio: float = 1.0
    signed: bool = False

    @property
    def filter_efficiency(self) -> float:
        """Share of the cross section that passes the generator filter."""
        return sum(component.filter_efficiency for component in self.components)


# Cross sections in pb: outreach analysis of CERN Open Data record 12350.
_DRELL_YAN = 3503.7
_ZTT_EFFICIENCY = 0.0040
_ZTT = Component("ZTT", resonances.generate_z_to_taus, _ZTT_EFFICIENCY)


def _w_plus_jets(jets: Literal[1, 2, 3], efficiency: float) -> Component:
    generate = partial(resonances.generate_w_plus_jets, sample=resonances.W_PLUS_JETS[jets])
    return Component(f"W{jets}", generate, efficiency)


SAMPLES: dict[str, SimulatedSample] = {
    "GluGluToHToTauTau": SimulatedSample(
        19.6,
        (Component("ggH", resonances.generate_gluon_fusion, 0.0350, signal=True),),
        HIGGS_TO_TAUS,
    ),
    "VBF_HToTauTau": SimulatedSample(
        1.55,
        (Component("qqH", resonances.generate_boson_fusion, 0.0416, signal=True),),
        HIGGS_TO_TAUS,
    ),
    "DYJetsToLL": SimulatedSample(
        _DRELL_YAN,
        (_ZTT, Component("ZLL", resonances.generate_z_to_leptons, 0.00135)),
    ),
    "TTbar": SimulatedSample(225.2, (Component("TT", generate_top_pairs, 0.0124),)),
    "W1JetsToLNu": SimulatedSample(6381.2, (_w_plus_jets(1, 0.00199),)),
    "W2JetsToLNu": SimulatedSample(2039.8, (_w_plus_jets(2, 0.00346),)),
    "W3JetsToLNu": SimulatedSample(612.5, (_w_plus_jets(3, 0.00385),)),
    "DYToTauTau_NLO": SimulatedSample(
        _DRELL_YAN,
        # The branching ratio is the share of taus among three leptons, so the efficiency is
        # three times the one of the same events in DYJetsToLL.
        (Component("ZTT", resonances.generate_z_to_taus, 3.0 * _ZTT_EFFICIENCY),),
        1.0 / 3.0,
        signed=True,
    ),
}
"""All simulated samples by dataset name."""

DATASETS: tuple[str, ...] = (*SAMPLES, *COLLISION_SHARES)
"""Names of all datasets, simulation first."""

QCD_CROSS_SECTION = 42.3
"""Multijet events that pass the filter, in pb; they exist in the pseudo-data only."""

_QCD = Component("QCD", generate_multijets, 1.0)

W_WITHOUT_JETS_CROSS_SECTION = 4.4
"""W bosons without a jet of the matrix element that pass the filter, in pb.

The W+jets samples begin with one jet, so these events are in the collisions only. In the public
2012 skims (record 12350) they show as same-sign events at mT > 70 GeV, 350 in 1.147 fb^-1 and most
of them without a jet, that no simulated sample describes.
"""

_W_WITHOUT_JETS = Component(
    "W0",
    partial(
        resonances.generate_w_plus_jets,
        sample=resonances.WPlusJets(
            matrix_jets=0,
            matrix_spectrum=JetSpectrum(12.0, 40.0, 4.5, 2.5),
            fakes=JetSpectrum(16.0, 40.0, 11.0, 2.6),
            # The candidate knows nothing of the W: what holds for multijets holds here.
            opposite=QCD_OS_SS_FACTOR / (1.0 + QCD_OS_SS_FACTOR),
            radiation=0.15,
        ),
    ),
    1.0,
)


def collision_components() -> tuple[tuple[Component, float], ...]:
    """Return every process of the pseudo-data with its cross section after the filter, in pb."""
    simulated = tuple(
        (component, sample.cross_section * sample.branching_ratio * component.filter_efficiency)
        for sample in SAMPLES.values()
        if not sample.signed
        for component in sample.components
    )
    return (*simulated, (_QCD, QCD_CROSS_SECTION), (_W_WITHOUT_JETS, W_WITHOUT_JETS_CROSS_SECTION))
