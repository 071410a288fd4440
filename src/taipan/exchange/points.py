"""Points at which a datacard and its workspace must give the same −ln L.

Combine and pyhf agree where a parameter of a systematic is 0, or at ±1 and beyond. Between,
they interpolate factors differently. Parameters of whole bins multiply the yields in pyhf, and
are added to them in Combine, so the two agree where nothing else moves and factors are 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taipan.exchange.card_density import CardDensity
from taipan.exchange.density import Density

Array = npt.NDArray[np.float64]

# Systematics that move at one point: more of them drive templates below zero, where Combine cuts.
FEWEST_MOVED = 4
LARGEST_PULL = 1.5
TRIES = 20


@dataclass(frozen=True)
class Kinds:
    """Names of parameters by what may be done with them.

    Attributes
    ----------
    pulls
        Systematics, free to be 0 or beyond ±1.
    unit
        Those that agree at -1, 0 and +1 only.
    lonely
        Those that agree only if no other shape moves.
    shaped
        Those with a shape.
    bins
        Factors of whole bins.
    free
        Everything else: factors.
    """

    pulls: tuple[str, ...]
    unit: frozenset[str]
    lonely: frozenset[str]
    shaped: frozenset[str]
    bins: tuple[str, ...]
    free: tuple[str, ...]


def sort_parameters(density: CardDensity, names: list[str], lonely: frozenset[str]) -> Kinds:
    """Sort the parameters of a card."""
    pulls = density.gaussian_names()
    morphs = [
        (name, morph)
        for channel in density.model.channels
        for process in channel.processes
        for name, morph in process.morphs.items()
    ]
    scaled = frozenset(name for name, morph in morphs if morph.scale != 1.0)
    bins = [n for n in names if "[" in n and (_is_total(density, n) or "_gauss[" in n)]
    return Kinds(
        pulls=tuple(pulls),
        unit=scaled | lonely,
        lonely=lonely,
        shaped=frozenset(name for name, _ in morphs) | lonely,
        bins=tuple(bins),
        free=tuple(name for name in names if name not in {*pulls, *bins}),
    )


def _is_total(density: CardDensity, name: str) -> bool:
    return name.partition("[")[0] in {f"prop_bin{c.name}" for c in density.model.channels}


def draw_same(
    density: CardDensity,
    workspace: Density,
    kinds: Kinds,
    rng: np.random.Generator,
    number: int,
) -> list[dict[str, float]]:
    """Draw points at which both must agree.

    Parameters
    ----------
    density, workspace
        The two, with the same names.
    kinds
        Names sorted.
    rng
        Random numbers.
    number
        How many points; two more for each lonely parameter, at -1 and +1.

    Returns
    -------
    list of dict
        Parameter → value; fewer points where templates fall below zero whatever moves.
    """
    points = []
    order = [*rng.permutation(np.array(kinds.pulls, dtype=object))]
    size = max(FEWEST_MOVED, -(-2 * len(order) // max(number, 1)))
    for index in range(number):
        moves_bins = bool(kinds.bins) and index % 2 == 1
        start = index * size % max(len(order), 1)
        chosen = [] if moves_bins else (order + order)[start : start + min(size, len(order))]
        for attempt in range(TRIES):
            few = chosen[: max(1, len(chosen) - attempt)]
            point = _draw(workspace, kinds, rng, few, moves_bins)
            if not density.is_cut(point):
                break
        else:
            continue  # no comparison where Combine cuts
        points.append(point)
    for name in sorted(kinds.lonely):
        points += [
            _hold(workspace, {**workspace.start, name: side})
            for side in (-1.0, 1.0)
            if not density.is_cut({**workspace.start, name: side})
        ]
    return points


def _draw(
    workspace: Density,
    kinds: Kinds,
    rng: np.random.Generator,
    chosen: list[str],
    moves_bins: bool,
) -> dict[str, float]:
    point = dict(workspace.start)
    alone = next((name for name in chosen if name in kinds.lonely), None)
    for name in chosen:
        if alone is not None and name != alone and name in kinds.shaped:
            continue
        size = 1.0 if name in kinds.unit else rng.uniform(1.0, LARGEST_PULL)
        point[name] = float(rng.choice([-1.0, 1.0]) * size)
    if moves_bins:
        for name in kinds.bins:
            point[name] = _near(workspace, name, rng)
        # as if templates were never scaled, wherever factors start, and even if they are held
        return _hold(workspace, point) | dict.fromkeys(kinds.free, 1.0)
    for name in kinds.free:
        point[name] = _near(workspace, name, rng)
    return _hold(workspace, point)


def _near(workspace: Density, name: str, rng: np.random.Generator) -> float:
    start, width = workspace.start[name], workspace.widths[name]
    low, high = workspace.bounds[name]
    step = width if width > 0.0 else 0.5 * max(abs(start), 0.1)
    return float(np.clip(start + step * rng.uniform(-1.0, 1.0), low, high))


def _hold(workspace: Density, point: Mapping[str, float]) -> dict[str, float]:
    return {
        name: workspace.start[name] if name in workspace.fixed else value
        for name, value in point.items()
    }


def draw_anywhere(
    workspace: Density, rng: np.random.Generator, number: int
) -> list[dict[str, float]]:
    """Draw points within one standard deviation of every parameter at once."""
    points = []
    for _ in range(number):
        point = {name: _near(workspace, name, rng) for name in workspace.start}
        points.append(_hold(workspace, point))
    return points
