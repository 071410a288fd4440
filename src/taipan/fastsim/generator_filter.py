"""The generator filter: only events with both candidates roughly in acceptance are made.

The filter looks at the measured pT before any mismodelling, so that pseudo-data and simulation
have the same filter efficiency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from taipan.fastsim.hard_events import SOURCE_TAU, HardEvents, join_events
from taipan.fastsim.kinematics import Bools
from taipan.kinematics import delta_r

Generator = Callable[[np.random.Generator, int], HardEvents]

# Looser than the selection (17 GeV, 2.1, 20 GeV, 2.3, 0.5) by more than any energy-scale
# variation of an analysis.
_MUON_PT, _MUON_ETA = 16.5, 2.12
_TAU_PT, _TAU_ETA = 18.8, 2.32
_SEPARATION = 0.45

# Relative resolutions: muon 1.2 % (CMS, JINST 7 (2012) P10002), tau_h 5 % around 30 GeV for one
# or three prongs (CMS, JINST 7 (2012) P01001).
_MUON_RESOLUTION = 0.012
_TAU_RESOLUTION = 0.05

_MOST_ROUNDS = 1000


def measure_candidates(rng: np.random.Generator, events: HardEvents) -> HardEvents:
    """Fill the measured pT of both candidates; fake taus are generated as measured."""
    count = len(events)
    muon = events.muon_pt * (1.0 + _MUON_RESOLUTION * rng.standard_normal(count))
    width = np.where(events.tau_source == SOURCE_TAU, _TAU_RESOLUTION, 0.0)
    tau = events.tau_pt * (1.0 + width * rng.standard_normal(count))
    return replace(
        events,
        measured_muon_pt=np.maximum(muon, 0.1),
        measured_tau_pt=np.maximum(tau, 0.1),
    )


def passes_filter(events: HardEvents) -> Bools:
    """Whether both candidates are roughly in acceptance, shape ``(n,)``."""
    separation = delta_r(events.muon_eta, events.muon_phi, events.tau_eta, events.tau_phi)
    return (
        (events.measured_muon_pt > _MUON_PT)
        & (np.abs(events.muon_eta) < _MUON_ETA)
        & (events.measured_tau_pt > _TAU_PT)
        & (np.abs(events.tau_eta) < _TAU_ETA)
        & (separation > _SEPARATION)
    )


def generate_filtered(
    rng: np.random.Generator, generate: Generator, count: int, *, block: int = 50_000
) -> HardEvents:
    """Generate until exactly ``count`` events have passed the filter.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    generate : callable
        Makes unfiltered events, at most the given number.
    count : int
        Events wanted, at least zero.
    block : int
        Largest number of unfiltered events made at a time; bounds the memory.

    Raises
    ------
    RuntimeError
        If the filter passes next to nothing: a generator is broken.
    """
    parts = [generate(rng, 1).take(np.arange(0))]
    missing = count
    efficiency = 0.1
    for _ in range(_MOST_ROUNDS + 2 * count // block):
        if missing <= 0:
            return join_events(parts)
        proposals = int(np.clip(1.1 * missing / efficiency + 50, 100, block))
        made = measure_candidates(rng, generate(rng, proposals))
        passed = np.flatnonzero(passes_filter(made))
        efficiency = max(len(passed) / proposals, 0.002)
        parts.append(made.take(passed[:missing]))
        missing -= len(passed[:missing])
    raise RuntimeError(f"generator filter: {missing} of {count} events still missing")
