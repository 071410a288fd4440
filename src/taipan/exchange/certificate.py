"""Certificates: that two descriptions of a model are one, in numbers.

−ln L is compared, to a constant, at random points where both formats define the same function.
There they must agree. Then at random points anywhere: the difference is what the formats cannot
share. What it does to a result is shown by fits of both, with MINUIT where it is installed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from taipan import __version__
from taipan.exchange.card_density import card_density
from taipan.exchange.card_model import CardModel
from taipan.exchange.compare_yields import TOLERANCE, certify_yields, compare_yields
from taipan.exchange.density import Density, workspace_density
from taipan.exchange.errors import ExchangeError
from taipan.exchange.points import draw_anywhere, draw_same, sort_parameters
from taipan.exchange.refit import refit
from taipan.exchange.write_templates import clean_name
from taipan.seeds import derive_seed

Function = Callable[[Mapping[str, float]], float]

POINTS = 50
MOST_REFITTED = 40
"""Parameters up to which models are refitted without being asked to: more take minutes."""


def compare(
    one: Function, two: Function, points: Sequence[Mapping[str, float]], start: Mapping[str, float]
) -> tuple[float, float]:
    """Compare two functions that may differ by a constant.

    Parameters
    ----------
    one, two
        −ln L.
    points
        Where.
    start
        The point whose difference is the constant.

    Returns
    -------
    tuple of float
        Largest difference, relative to −ln L (and at least to 1), and absolute. Infinite if one of
        them is not a number.
    """
    constant = one(start) - two(start)
    relative = absolute = 0.0
    for point in points:
        first, second = one(point), two(point) + constant
        if not (np.isfinite(first) and np.isfinite(second)):
            return np.inf, np.inf
        absolute = max(absolute, abs(first - second))
        relative = max(relative, abs(first - second) / max(1.0, abs(first)))
    return float(relative), float(absolute)


def certify_card(
    model: CardModel,
    workspace: Mapping[str, Any],
    *,
    names: Mapping[str, str] | None = None,
    units: Mapping[str, float] | None = None,
    lonely: frozenset[str] = frozenset(),
    measurement: str | None = None,
    seed: int = 1,
    refitted: bool | None = None,
) -> dict[str, Any]:
    """Certify that a card and a workspace are the same model.

    Parameters
    ----------
    model
        Numbers of the card.
    workspace
        pyhf workspace.
    names
        Parameter of the workspace → that of the card, where they differ.
    units
        Factor of a bin → its standard deviation, where the card has a pull.
    lonely
        Parameters whose shapes change the integral of a template.
    measurement
        Name of the measurement; the first one by default.
    seed
        Of the random points.
    refitted
        Whether both are refitted; by default if they have at most `MOST_REFITTED` parameters.

    Returns
    -------
    dict
        The certificate; ``docs/exchange.md`` describes it.

    Raises
    ------
    ExchangeError
        If they are not: no file may be written then.
    """
    density, other = card_density(model), workspace_density(workspace, names, units, measurement)
    kinds = sort_parameters(density, list(other.start), lonely)
    rng = np.random.default_rng(derive_seed(seed, "certificate"))
    start = {**other.start, **dict.fromkeys(kinds.pulls, 0.0)}
    same = draw_same(density, other, kinds, rng, POINTS)
    if len(same) < POINTS // 2:
        raise ExchangeError(
            f"templates fall below zero at all but {len(same)} of {POINTS} points: Combine cuts "
            "them, and the two models cannot be compared"
        )
    anywhere = draw_anywhere(other, rng, POINTS)
    found = _agreement(density, other, same, start)
    relative, absolute = compare(density, other, anywhere, start)
    certificate = {
        "taipan": __version__,
        "agreement": found,
        "elsewhere": {
            "points": len(anywhere),
            "largest_difference": _finite(absolute),
            "largest_relative_difference": _finite(relative),
            "why": explain(model),
        },
        "not_mapped": list(model.notes),
    }
    return certificate | _refits(density, other, workspace, measurement, refitted)


def certify_same(
    one: Function,
    two: Density,
    workspace: Mapping[str, Any],
    *,
    seed: int = 1,
    refitted: bool | None = None,
) -> dict[str, Any]:
    """Certify that a document and a workspace are the same model, everywhere.

    Parameters
    ----------
    one
        −ln L of the document; its parameters have the names of `two`.
    two, workspace
        −ln L of the workspace, and the workspace.
    seed
        Of the random points.
    refitted
        Whether both are refitted; by default if they have at most `MOST_REFITTED` parameters.

    Raises
    ------
    ExchangeError
        If they are not.
    """
    points = draw_anywhere(two, np.random.default_rng(derive_seed(seed, "certificate")), POINTS)
    certificate = {
        "taipan": __version__,
        "agreement": _agreement(one, two, points, two.start),
        "not_mapped": [],
    }
    return certificate | _refits(one, two, workspace, None, refitted)


def certify_templates(
    workspace: Mapping[str, Any], again: Mapping[str, Any], notes: Sequence[str]
) -> dict[str, Any]:
    """Certify that templates which were written and read again are those of a workspace.

    Raises
    ------
    ExchangeError
        If expected yields differ at nominal, or at ±1 of a systematic.
    """
    largest, points = compare_yields(workspace, again, clean_name)
    return certify_yields(largest, points, "templates that were read again", notes)


def _agreement(
    one: Function, two: Function, points: Sequence[Mapping[str, float]], start: Mapping[str, float]
) -> dict[str, Any]:
    relative, absolute = compare(one, two, points, start)
    if not relative <= TOLERANCE:
        raise ExchangeError(
            f"−ln L differs by {relative:.2g} of its value (at most {TOLERANCE:g}): the two models "
            "are not the same, and nothing is written"
        )
    return {
        "points": len(points),
        "largest_difference": absolute,
        "largest_relative_difference": relative,
        "tolerance": TOLERANCE,
    }


def _refits(
    card: Any,
    workspace: Density,
    content: Mapping[str, Any],
    measurement: str | None,
    refitted: bool | None,
) -> dict[str, Any]:
    size = len(workspace.start)
    if refitted is None and size > MOST_REFITTED:
        return {"fits": [], "fits_note": f"{size} parameters: only with --refit (minutes)"}
    if refitted is False:
        return {"fits": [], "fits_note": "not asked for"}
    minuit = importlib.util.find_spec("iminuit") is not None
    fits, difference = refit(card, workspace, content, measurement, with_minuit=minuit)
    note = {} if minuit else {"fits_note": "iminuit is not installed: fitted by Taipan alone"}
    return {"fits": fits, "largest_difference_in_sigma": difference, **note}


def explain(model: CardModel) -> list[str]:
    """Say why a card and its workspace differ between the points of agreement."""
    processes = [process for channel in model.channels for process in channel.processes]
    found = []
    if any(abs(sum(both)) > 1e-12 for p in processes for both in p.norms.values()):
        found.append(
            "asymmetric factors: Combine interpolates their logarithm within ±0.5, pyhf the factor "
            "within ±1; equal at 0, ±1 and beyond"
        )
    elif any(p.norms for p in processes):
        found.append(
            "symmetric lnN: exponential in Combine, within ±1 a polynomial of sixth order in pyhf"
        )
    if any(morph.scale != 1.0 for p in processes for morph in p.morphs.values()):
        found.append("scaled shapes: equal at 0 and ±1")
    if any(channel.statistics is not None for channel in model.channels):
        found.append(
            "autoMCStats: the parameter of a bin multiplies the yields of pyhf; in Combine it adds "
            "an uncertainty that follows the scaled processes; equal where these are nominal"
        )
    if any(p.morphs for p in processes):
        found.append("Combine cuts bins of templates that fall below zero, pyhf does not")
    return found


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
