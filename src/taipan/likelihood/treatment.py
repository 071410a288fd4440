"""What is done to varied templates before they enter the model, and the record of it.

Smoothing, the division into a change of yield and a change of shape, and pruning of either part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from taipan.config.sections.templates import Templates
from taipan.likelihood.denoise import remove_noise, smooth_covariance
from taipan.likelihood.merge import BinYields
from taipan.likelihood.repair import Repair, repair_pair
from taipan.likelihood.significance import ShiftSignificance, compare_with_noise
from taipan.likelihood.smooth import SMALLEST_NUMBER, smooth_variation
from taipan.likelihood.table import SMALLEST_CHANGE, TemplatePair, largest_change
from taipan.systematics.base import Systematic

Array = npt.NDArray[np.float64]
TreatedPart = Literal["rate", "shape"]

# A yield factor at ±1σ must be positive, because it is interpolated exponentially. 1 % is far
# below any factor that a linear uncertainty can describe.
SMALLEST_FACTOR = 0.01


@dataclass(frozen=True)
class Pruned:
    """A part of a systematic that was left out of the model.

    Attributes
    ----------
    systematic, sample, region
        What it would have changed.
    part
        ``rate`` or ``shape``.
    size
        Its largest relative change: of the sample's yield, or of a bin at fixed yield.
    """

    systematic: str
    sample: str
    region: str
    part: TreatedPart
    size: float


@dataclass
class TreatmentRecord:
    """What was done, in the order in which it was done.

    Attributes
    ----------
    shifts
        Each shift against its own statistical error, where that is known.
    smoothed
        (systematic, sample, region, method, largest relative change of a bin by smoothing, and
        which fraction of what the smooth curves leave over is more than noise and was kept).
    repaired
        Negative bins of variations that were set to zero.
    pruned
        Parts left out.
    parameters
        Parameter of the fit → systematic it belongs to.
    """

    shifts: list[ShiftSignificance] = field(default_factory=list)
    smoothed: list[dict[str, Any]] = field(default_factory=list)
    repaired: list[Repair] = field(default_factory=list)
    pruned: list[Pruned] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitVariation:
    """A variation divided into yield factors and shapes at the nominal yield.

    Attributes
    ----------
    up, down
        Yield at ±1σ relative to nominal.
    shape_up, shape_down
        Templates at ±1σ with the nominal yield, shape ``(n_bins,)``.
    """

    up: float
    down: float
    shape_up: Array
    shape_down: Array


def treat_variation(
    name: str,
    systematic: Systematic,
    place: tuple[str, str],
    counts: BinYields,
    variation: TemplatePair,
    edges: Sequence[float],
    record: TreatmentRecord,
    offset: Array | float = 0.0,
    noise_removed: float = 0.0,
) -> TemplatePair:
    """Smooth both templates of a variation as its systematic asks for, then repair them.

    Parameters
    ----------
    name, systematic
        The systematic.
    place
        Sample and region, for the record.
    counts
        Nominal template.
    variation
        Templates at ±1σ.
    edges
        Bin edges of the observable, ``n_bins + 1``.
    record
        Receives the significance of the shifts, an entry if the templates were smoothed, and one
        for each that was repaired.
    offset
        Part of the templates that is subtracted again in the model.
    noise_removed
        Part of the variance of the noise that is taken out of the size of the shifts, for
        projections (:mod:`taipan.likelihood.denoise`).

    Returns
    -------
    TemplatePair
        New templates; each keeps its total yield, unless noise is removed. Their covariances are
        those of the noise that smoothing leaves.
    """
    record.shifts += _compare(name, place, counts, variation)
    errors = [None, None] if variation.errors is None else list(variation.errors)
    sides = [
        smooth_variation(counts, filled, systematic.smoothing, edges, covariance)
        for filled, covariance in zip((variation.up, variation.down), errors, strict=True)
    ]
    up, down = (side.values for side in sides)
    if systematic.smoothing != "none" and len(counts.values) >= SMALLEST_NUMBER:
        change = max(largest_change(variation.up, up), largest_change(variation.down, down))
        record.smoothed.append(
            {
                "systematic": name,
                "sample": place[0],
                "region": place[1],
                "method": systematic.smoothing,
                "largest_change": _finite(change),
                "kept": [side.kept for side in sides],
            }
        )
    if variation.errors is not None:
        up, down = (
            remove_noise(counts.values, side.values, covariance, side.curve, noise_removed)
            for side, covariance in zip(sides, variation.errors, strict=True)
        )
    left = None
    if variation.errors is not None:
        left = np.stack(
            [
                (1.0 - noise_removed) * smooth_covariance(counts.values, covariance, side.curve)
                for side, covariance in zip(sides, variation.errors, strict=True)
            ]
        )
    repaired, done = repair_pair(place, name, TemplatePair(up, down, left), offset)
    record.repaired += done
    return repaired


def _compare(
    name: str, place: tuple[str, str], counts: BinYields, variation: TemplatePair
) -> list[ShiftSignificance]:
    """Compare both templates with their errors; one of a pair that mirrors the other is enough."""
    if variation.errors is None:
        return []
    mirrored = np.allclose(variation.up + variation.down, 2.0 * counts.values)
    sides = [("up", variation.up), *([] if mirrored else [("down", variation.down)])]
    return [
        compare_with_noise((name, *place, direction), counts.values, varied, covariance)
        for (direction, varied), covariance in zip(sides, variation.errors, strict=False)
    ]


def split_variation(nominal: Array, variation: TemplatePair) -> SplitVariation:
    """Divide a variation into a change of yield and a change of shape."""
    total = nominal.sum()
    factors = [float(side.sum() / total) for side in (variation.up, variation.down)]
    shapes = [
        side / factor if factor >= SMALLEST_FACTOR else nominal
        for side, factor in zip((variation.up, variation.down), factors, strict=True)
    ]
    return SplitVariation(factors[0], factors[1], shapes[0], shapes[1])


def rate_size(up: float, down: float) -> float:
    """Largest relative change of a yield."""
    return max(abs(up - 1.0), abs(down - 1.0))


def shape_size(nominal: Array, split: SplitVariation) -> float:
    """Largest relative change of a bin at the nominal yield."""
    return _finite(max(largest_change(nominal, s) for s in (split.shape_up, split.shape_down)))


def is_kept(size: float, part: TreatedPart, systematic: Systematic, templates: Templates) -> bool:
    """Tell whether a part is large enough to stay in the model."""
    threshold = templates.prune_rate if part == "rate" else templates.prune_shape
    return size >= (max(threshold, SMALLEST_CHANGE) if systematic.prune else SMALLEST_CHANGE)


def parameter_name(
    name: str, systematic: Systematic, sample: str, region: str, part: TreatedPart
) -> str:
    """Give the fit parameter of a systematic: its name, extended by what it is decorrelated over.

    Parameters
    ----------
    name, systematic
        The systematic; ``decorrelate`` names what gets parameters of its own: each ``sample``,
        each ``region``, or rate and ``shape``.
    sample, region
        Simulated sample and fitted region; the simulation that a sample estimated from data
        has subtracted follows its sample and the fitted region.
    part
        Rate or shape.
    """
    parts = [name]
    if "sample" in systematic.decorrelate:
        parts.append(sample)
    if "region" in systematic.decorrelate:
        parts.append(region)
    if "shape" in systematic.decorrelate:
        parts.append(part)
    return "_".join(parts)


def record_to_json(record: TreatmentRecord, sigmas: Mapping[str, float] | None) -> dict[str, Any]:
    """Give the record as plain values.

    Parameters
    ----------
    record
        What was done.
    sigmas
        Expected σ of the parameter of interest ``without_pruning`` and ``with_pruning``; None
        if nothing was pruned.
    """
    return {
        "parameters": dict(record.parameters),
        "shifts": [asdict(item) for item in record.shifts],
        "smoothed": list(record.smoothed),
        "pruned": [vars(item) for item in record.pruned],
        "expected_sigma": None if sigmas is None else dict(sigmas),
    }


def _finite(change: float) -> float:
    # A bin that is empty nominally and filled under the variation has no relative change; JSON
    # has no infinity, so its change counts as 100 %.
    return change if np.isfinite(change) else 1.0
