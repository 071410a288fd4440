"""The simulation that the sample estimated from data has subtracted, in a region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from taipan.config.model import Config
from taipan.estimates.base import FactorChange
from taipan.estimates.registry import MeasuredEstimate
from taipan.labels import DATA, Sides
from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.merge import BinYields
from taipan.likelihood.table import Table, TemplatePair, make_template_pair, sum_errors

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PartYields:
    """A part of an estimate, times its factor.

    Attributes
    ----------
    changes
        Parameter of the fit → what it does to the part.
    data
        Data of its place, shape ``(n_bins,)``.
    simulated
        Simulated sample → its yields in that place, which are subtracted.
    """

    changes: Mapping[str, FactorChange]
    data: Array
    simulated: Mapping[str, Array]


@dataclass(frozen=True)
class Subtracted:
    """What a sample estimated from data is made of, in a region.

    Attributes
    ----------
    estimated
        The sample; None if there is none here.
    counts
        Simulated sample → what is subtracted of it.
    varied
        (systematic, sample) → the same at ±1σ.
    parts
        The parts of the estimate.
    """

    estimated: str | None = None
    counts: Mapping[str, BinYields] = field(default_factory=dict)
    varied: Mapping[tuple[str, str], TemplatePair] = field(default_factory=dict)
    parts: tuple[PartYields, ...] = ()


def find_subtracted(
    table: Table,
    config: Config,
    region: str,
    acting: Mapping[str, Mapping[str, Sides]],
    estimate: MeasuredEstimate | None,
) -> Subtracted:
    """Give the sample estimated from data and the simulation it has subtracted, by sample."""
    parts = () if estimate is None else estimate.parts(region)
    if estimate is None or not parts:
        return Subtracted()
    simulated = [name for name, item in config.samples.items() if item.is_simulated]
    _check_template(table, config, region, estimate)
    counts: dict[str, BinYields] = {}
    varied: dict[tuple[str, str], TemplatePair] = {}
    for part in parts:
        nominal = {name: table.counts(name, part.place) for name in simulated}
        for name, found in nominal.items():
            scaled = BinYields(part.factor * found.values, part.factor**2 * found.variances)
            counts[name] = _add_yields(counts.get(name), scaled)
        for name, samples in acting.items():
            for sample, sides in samples.items():
                if sample in nominal:
                    pair = make_template_pair(table, name, sample, part.place, sides)
                    key = (name, sample)
                    scaled_pair = pair.scale(part.factor)
                    varied[key] = varied[key].add(scaled_pair) if key in varied else scaled_pair
    kept = {name: item for name, item in counts.items() if np.any(item.variances > 0)}
    return Subtracted(
        estimate.sample,
        kept,
        {key: item for key, item in varied.items() if key[1] in kept},
        tuple(
            PartYields(
                part.changes,
                part.factor * table.counts(DATA, part.place).values,
                {name: part.factor * table.counts(name, part.place).values for name in kept},
            )
            for part in parts
        ),
    )


def _check_template(table: Table, config: Config, region: str, estimate: MeasuredEstimate) -> None:
    """Refuse a template that is not made of these factors."""
    simulated = [name for name, item in config.samples.items() if item.is_simulated]
    parts = estimate.parts(region)
    data = [part.factor * table.counts(DATA, part.place).values for part in parts]
    expected = np.sum(data, axis=0) - np.sum(
        [part.factor * table.counts(n, part.place).values for part in parts for n in simulated],
        axis=0,
    )
    filled = table.counts(estimate.sample, region).values
    if not np.allclose(filled, expected, rtol=1e-6, atol=1e-6 * max(np.sum(data), 1.0)):
        factors = ", ".join(f"{part.factor:.6g}" for part in parts)
        raise LikelihoodError(
            f"sample {estimate.sample}, region {region}: the template is not {factors} times "
            f"data minus simulation of region {estimate.source(region)}; templates and factor are "
            "of different runs"
        )


def _add_yields(sum_: BinYields | None, more: BinYields) -> BinYields:
    if sum_ is None:
        return more
    return BinYields(sum_.values + more.values, sum_.variances + more.variances)


def shift_estimate(
    values: Array, nominal: Sequence[Array], varied: Sequence[TemplatePair]
) -> TemplatePair:
    """Give an estimate when what is subtracted for it varies.

    Parameters
    ----------
    values
        The estimate, shape ``(n_bins,)``.
    nominal, varied
        Yields of each subtracted sample and its templates at ±1σ.
    """
    up, down, errors = values, values, None
    for i, (before, after) in enumerate(zip(nominal, varied, strict=True)):
        up, down = up + before - after.up, down + before - after.down
        errors = after.errors if i == 0 else sum_errors(errors, after.errors)
    return TemplatePair(np.array(up), np.array(down), errors)
