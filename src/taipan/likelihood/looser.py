"""Shapes of shifts from a looser selection, for samples with few events.

A sample with a hundred events in a region says little of how a shift changes its shape. Another
region, with a cut less or another charge, may hold many more events with the same shift. Where the
two agree, the shape comes from both together and the change of yield from the region itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.likelihood.merge import BinYields
from taipan.likelihood.significance import compare_with_noise
from taipan.likelihood.table import TemplatePair

Array = npt.NDArray[np.float64]

FEWEST_BINS = 2
"""Bins that a shape has at least."""
SMALLEST_P_VALUE = 0.05
"""Shapes that differ by more than chance does in one of twenty cases are not the same."""


@dataclass(frozen=True)
class LooserShape:
    """A comparison of the shape of a shift with that of a looser selection.

    Attributes
    ----------
    systematic, sample, region
        What was shifted.
    taken_from
        Regions of the looser selection.
    p_value
        Smaller one of the two directions: probability of a difference as large by chance.
    used
        Whether the shape was taken.
    """

    systematic: str
    sample: str
    region: str
    taken_from: tuple[str, ...]
    p_value: float
    used: bool


def add_looser(
    place: tuple[str, str, str],
    own: tuple[BinYields, TemplatePair],
    looser: Mapping[str, tuple[BinYields, TemplatePair]],
) -> tuple[TemplatePair, LooserShape | None]:
    """Take the shape of a shift from a region and looser ones together.

    Parameters
    ----------
    place
        Systematic, sample and region.
    own
        Nominal and varied templates of the region.
    looser
        Region → the same of a looser selection that shares no event with it, in the same bins.

    Returns
    -------
    variation
        With the yields of its own, in the bins that both selections fill; unchanged if errors are
        not known or the shapes differ.
    record
        None if nothing could be compared.
    """
    nominal, variation = own
    known = {
        name: item
        for name, item in looser.items()
        if item[1].errors is not None and item[0].values.sum() > 0
    }
    if variation.errors is None or not known:
        return variation, None
    other = np.sum([item.values for item, _ in known.values()], axis=0)
    pairs = [pair for _, pair in known.values()]
    added = pairs[0]
    for pair in pairs[1:]:
        added = added.add(pair)
    filled = np.flatnonzero((nominal.values > 0) & (other > 0))
    if added.errors is None or len(filled) < FEWEST_BINS:
        return variation, None
    sides = [
        tuple(_take_bins(item, filled) for item in side) for side in _directions(variation, added)
    ]
    inside, around = nominal.values[filled], other[filled]
    values = [_compare(place, inside, around, *side) for side in sides]
    record = LooserShape(*place, tuple(known), min(values), min(values) >= SMALLEST_P_VALUE)
    if not record.used:
        return variation, record
    templates, errors = [variation.up.copy(), variation.down.copy()], variation.errors.copy()
    for i, side in enumerate(sides):
        templates[i][filled], errors[i][np.ix_(filled, filled)] = _combine(inside, around, *side)
    return TemplatePair(templates[0], templates[1], errors), record


def _take_bins(values: Array, chosen: npt.NDArray[np.intp]) -> Array:
    """Take some bins of a template, or of a covariance."""
    return values[chosen] if values.ndim == 1 else values[np.ix_(chosen, chosen)]


def _directions(own: TemplatePair, other: TemplatePair) -> Sequence[tuple[Array, ...]]:
    """Give the varied templates and covariances of both selections, up and down."""
    first: Any = own.errors
    second: Any = other.errors
    return [(own.up, first[0], other.up, second[0]), (own.down, first[1], other.down, second[1])]


def _compare(
    place: tuple[str, str, str],
    nominal: Array,
    looser: Array,
    varied: Array,
    errors: Array,
    looser_varied: Array,
    looser_errors: Array,
) -> float:
    """Give the p-value of the difference of two shapes, in units of the region's own yields."""
    scale = nominal / looser
    expected = nominal + scale * (looser_varied - looser)
    covariance = errors + np.outer(scale, scale) * looser_errors
    found = compare_with_noise((*place, "up"), nominal, nominal + varied - expected, covariance)
    return found.p_value


def _combine(
    nominal: Array,
    looser: Array,
    varied: Array,
    errors: Array,
    looser_varied: Array,
    looser_errors: Array,
) -> tuple[Array, Array]:
    """Give the varied template with the ratio of both, and its covariance."""
    scale = nominal / (nominal + looser)
    shaped = scale * (varied + looser_varied)
    return (
        np.asarray(shaped * (varied.sum() / shaped.sum())),
        np.outer(scale, scale) * (errors + looser_errors),
    )
