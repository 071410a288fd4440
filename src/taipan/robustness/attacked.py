"""What attacks of 1 σ make of events, for a network that is to find them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from taipan.robustness.conserve import conserve_events
from taipan.robustness.events import AttackedSample
from taipan.robustness.measure import Attacker
from taipan.robustness.model import AttackTarget
from taipan.robustness.sources import attack_by_sources

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
_SIZE = 1.0


@dataclass(frozen=True)
class AttackedEvents:
    """Events, and what two runs of an attack made of them.

    Attributes
    ----------
    clean, first, second
        Features, shape ``(n, f)``; NaN for missing.
    right, fooled_first, fooled_second
        Whether the attacked network was right before, and is wrong after each run; shape ``(n,)``.
    weights
        Shape ``(n,)``, signed.
    is_signal
        Shape ``(n,)``.
    """

    clean: Array
    first: Array
    second: Array
    right: Flags
    fooled_first: Flags
    fooled_second: Flags
    weights: Array
    is_signal: Flags


def join_attacked(parts: Sequence[AttackedEvents]) -> AttackedEvents:
    """Put the events of several samples one after the other."""
    names = [field.name for field in fields(AttackedEvents)]
    return AttackedEvents(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names)
    )


def describe_runs(target: AttackTarget, first: Array, second: Array) -> AttackedEvents:
    """Say which events two runs of an attack have fooled.

    Parameters
    ----------
    target
        Events and classifier.
    first, second
        What the runs made of the events, shape ``(n, f)``.
    """
    right = target.is_right(target.scores())
    fooled_first, fooled_second = (
        right & ~target.is_right(target.scores(after)) for after in (first, second)
    )
    return AttackedEvents(
        target.events,
        first,
        second,
        right,
        fooled_first,
        fooled_second,
        target.weights,
        np.full(len(right), target.is_signal),
    )


def attack_features(attacker: Attacker, sample: AttackedSample) -> AttackedEvents | None:
    """Attack within ±σ of each feature and the bounds of the distributions, with two seeds.

    Returns
    -------
    AttackedEvents or None
        None of events that nothing moves, and of a classifier without gradient.
    """
    target = attacker.target(sample)
    if not (target.sigma > 0).any() or not target.has_gradient():
        return None
    bounds = attacker.bounds(_SIZE)
    runs = [
        conserve_events(target, bounds, np.random.default_rng((attacker.seed, run)))
        for run in range(2)
    ]
    return describe_runs(target, *runs)


def attack_objects(attacker: Attacker, sample: AttackedSample) -> AttackedEvents | None:
    """Attack by the sources of the systematics; both runs are the same, as nothing is drawn.

    Returns
    -------
    AttackedEvents or None
        None of events that no source moves.
    """
    if not sample.sources.names:
        return None
    target = attacker.target(sample)
    way = -1.0 if sample.is_signal else 1.0
    found = attack_by_sources(sample.sources, sample.columns, target.scores, way, _SIZE)
    return describe_runs(target, found.events, found.events)


ATTACKS: dict[str, Callable[[Attacker, AttackedSample], AttackedEvents | None]] = {
    "hidden": attack_features,
    "physical": attack_objects,
}
"""Name of an attack → what makes it."""
