"""The columns that pass from the generators to the detector.

One row is one collision with a muon candidate and a hadronic-tau candidate. Everything the
detector does depends on these columns only, never on the name of the process, so a mixture of
processes is simulated exactly like its parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from taipan.fastsim.kinematics import Bools, Floats, FourMomentum, Ints

JET_SLOTS = 6
"""Most hard jets of one event besides the one of the tau candidate."""

GEN_SLOTS = 3
"""Most generator particles of one event: resonance, parent of the muon, parent of the tau."""

SOURCE_TAU, SOURCE_JET, SOURCE_MUON, SOURCE_ELECTRON = 0, 1, 2, 3
"""What the hadronic-tau candidate really is."""


@dataclass(frozen=True)
class HardEvents:
    """Particles of ``n`` events; shapes ``(n,)`` unless said otherwise, GeV and rad.

    ``muon_parent`` is the absolute PDG identifier the muon points to: 15 (from a tau decay), 13
    (from a W or Z boson) or 0 (from a jet). ``tau_source`` is one of the ``SOURCE_*`` constants.
    ``tau_jet_pt`` is the pT of the jet in which the tau candidate sits, ``jet_*`` (shape
    ``(n, JET_SLOTS)``, pT = 0 where empty, ``jet_flavour`` 5 for b, 0 for others) are all other
    hard jets. ``extra_*`` is a second muon (pT = 0 where none). ``gen_*`` has shape
    ``(n, GEN_SLOTS)``, with PDG identifier 0 where empty. ``measured_*`` are the pT of both
    candidates after detector resolution.
    """

    muon_pt: Floats
    muon_eta: Floats
    muon_phi: Floats
    muon_charge: Ints
    muon_parent: Ints
    tau_pt: Floats
    tau_eta: Floats
    tau_phi: Floats
    tau_mass: Floats
    tau_charge: Ints
    tau_mode: Ints
    tau_source: Ints
    tau_jet_pt: Floats
    neutrino_px: Floats
    neutrino_py: Floats
    extra_pt: Floats
    extra_eta: Floats
    extra_phi: Floats
    jet_pt: Floats
    jet_eta: Floats
    jet_phi: Floats
    jet_flavour: Ints
    gen_pt: Floats
    gen_eta: Floats
    gen_phi: Floats
    gen_mass: Floats
    gen_id: Ints
    measured_muon_pt: Floats
    measured_tau_pt: Floats

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.muon_pt)

    def take(self, rows: Ints | Bools) -> HardEvents:
        """Return the chosen events, by index or by mask."""
        return HardEvents(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def join_events(parts: Sequence[HardEvents]) -> HardEvents:
    """Put several sets of events one after the other (at least one set)."""
    return HardEvents(
        **{
            f.name: np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(HardEvents)
        }
    )


def stack_particles(
    particles: Sequence[tuple[FourMomentum, Ints]],
) -> tuple[Floats, Floats, Floats, Floats, Ints]:
    """Put particles and their PDG identifiers side by side.

    Returns
    -------
    tuple of array
        pT, eta, phi, mass and identifier, each of shape ``(n, GEN_SLOTS)``, empty slots zero.
    """
    count = len(particles[0][1])
    floats = [np.zeros((count, GEN_SLOTS)) for _ in range(4)]
    identifiers = np.zeros((count, GEN_SLOTS), dtype=np.int64)
    for slot, (momentum, identifier) in enumerate(particles):
        present = identifier != 0
        values = (momentum.pt, momentum.eta, momentum.phi, momentum.mass)
        for column, value in zip(floats, values, strict=True):
            column[:, slot] = np.where(present, value, 0.0)
        identifiers[:, slot] = identifier
    return floats[0], floats[1], floats[2], floats[3], identifiers
