"""Jets of the hard collision: radiation, tagging jets of vector-boson fusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taipan.fastsim.hard_events import JET_SLOTS
from taipan.fastsim.kinematics import Floats, FourMomentum, Ints, from_transverse, wrap_phi

_MAX_PT = 600.0
_MAX_ETA = 4.9


@dataclass(frozen=True)
class HardJets:
    """Jets of ``n`` events, each array of shape ``(n, k)``; pT (GeV) is 0 where empty."""

    pt: Floats
    eta: Floats
    phi: Floats
    flavour: Ints

    @property
    def sum_px(self) -> Floats:
        """Sum of the x components in GeV, shape ``(n,)``."""
        total: Floats = np.sum(self.pt * np.cos(self.phi), axis=1)
        return total

    @property
    def sum_py(self) -> Floats:
        """Sum of the y components in GeV, shape ``(n,)``."""
        total: Floats = np.sum(self.pt * np.sin(self.phi), axis=1)
        return total


@dataclass(frozen=True)
class JetSpectrum:
    """A pT law, ``P(pT > x) = (1 + (x - pt_min) / scale)^-index``, with a Gaussian eta (GeV)."""

    pt_min: float
    scale: float
    index: float
    eta_width: float


def draw_falling_pt(
    rng: np.random.Generator,
    shape: int | tuple[int, ...],
    *,
    pt_min: float,
    scale: float,
    index: float,
) -> Floats:
    """Draw pT (GeV) with P(pT > x) = (1 + (x - pt_min) / scale)^-index, kept below 600 GeV."""
    excess = scale * ((1.0 - rng.random(shape)) ** (-1.0 / index) - 1.0)
    return np.minimum(pt_min + excess, _MAX_PT)


def draw_jets(
    rng: np.random.Generator, count: int, spectrum: JetSpectrum, *, mean: float, fixed: int = 0
) -> HardJets:
    """Draw jets: ``fixed`` in each event plus a Poisson number of mean ``mean``.

    Returns
    -------
    HardJets
        Shape ``(count, JET_SLOTS)``; a Poisson number beyond the slots is cut off.
    """
    number = np.minimum(fixed + rng.poisson(mean, count), JET_SLOTS)
    shape = (count, JET_SLOTS)
    present = np.arange(JET_SLOTS) < number[:, np.newaxis]
    pt = draw_falling_pt(
        rng, shape, pt_min=spectrum.pt_min, scale=spectrum.scale, index=spectrum.index
    )
    eta = np.clip(rng.normal(0.0, spectrum.eta_width, shape), -_MAX_ETA, _MAX_ETA)
    phi = rng.uniform(-np.pi, np.pi, shape)
    return HardJets(np.where(present, pt, 0.0), eta, phi, np.zeros(shape, dtype=np.int64))


def draw_tagging_jets(rng: np.random.Generator, count: int) -> HardJets:
    """Draw the two forward jets of vector-boson fusion, shape ``(count, 2)``.

    Their pT is of the order of the W mass and they point to opposite hemispheres
    (Rainwater, Zeppenfeld, Hagiwara, Phys. Rev. D 59 (1998) 014037).
    """
    pt = rng.gamma(2.1, (27.0, 21.0), (count, 2)) + 8.0
    side = np.where(rng.random((count, 1)) < 0.5, -1.0, 1.0) * np.array([1.0, -1.0])
    eta = np.clip(side * rng.gamma(5.0, 0.43, (count, 2)) + rng.normal(0, 0.6, (count, 1)), -5, 5)
    phi = rng.uniform(-np.pi, np.pi, (count, 2))
    return HardJets(pt, eta, phi, np.zeros((count, 2), dtype=np.int64))


def merge_jets(*sets: HardJets) -> HardJets:
    """Put sets of jets side by side and keep the ``JET_SLOTS`` of highest pT."""
    columns = [
        np.concatenate([getattr(jets, name) for jets in sets], axis=1)
        for name in ("pt", "eta", "phi", "flavour")
    ]
    order = np.argsort(-columns[0], axis=1, kind="stable")[:, :JET_SLOTS]
    pt, eta, phi, flavour = (np.take_along_axis(column, order, axis=1) for column in columns)
    return HardJets(pt, eta, phi, flavour)


def oppose_jets(
    rng: np.random.Generator, jets: HardJets, phi: Floats, probability: float
) -> HardJets:
    """Turn each jet, with a probability, to the side opposite to ``phi`` (rad, shape ``(n,)``).

    Jets balance one another as often as they balance the boson.
    """
    turned = phi[:, np.newaxis] + np.pi + rng.normal(0.0, 0.8, jets.phi.shape)
    chosen = rng.random(jets.phi.shape) < probability
    return HardJets(jets.pt, jets.eta, np.where(chosen, wrap_phi(turned), jets.phi), jets.flavour)


def recoil_boson(
    rng: np.random.Generator, jets: HardJets, mass: Floats, rapidity: Floats, *, soft: float
) -> FourMomentum:
    """Build the boson that balances the jets and a soft kick of mean ``soft`` GeV.

    The kick stands for the radiation below the threshold of the jets.
    """
    kick = rng.gamma(2.0, soft / 2.0, len(mass))
    angle = rng.uniform(-np.pi, np.pi, len(mass))
    return from_transverse(
        kick * np.cos(angle) - jets.sum_px, kick * np.sin(angle) - jets.sum_py, rapidity, mass
    )
