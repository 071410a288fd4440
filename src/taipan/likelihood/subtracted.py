"""The simulation that the sample estimated from data has subtracted, in a region."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from taipan.config.model import Config
from taipan.estimates.registry import MeasuredEstimate
from taipan.labels import DATA
from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.merge import BinYields
from taipan.likelihood.table import Sides, Table, TemplatePair, make_template_pair

Array = npt.NDArray[np.float64]


def find_subtracted(
    table: Table,
    config: Config,
    region: str,
    acting: Mapping[str, Mapping[str, Sides]],
    estimate: MeasuredEstimate | None,
) -> tuple[str | None, dict[str, BinYields], dict[tuple[str, str], TemplatePair]]:
    """Give the sample estimated from data and the simulation it has subtracted, by sample."""
    source = None if estimate is None else estimate.source(region)
    if estimate is None or source is None:
        return None, {}, {}
    factor = estimate.factor(region)
    simulated = [name for name, item in config.samples.items() if item.is_simulated]
    nominal = {name: table.counts(name, source) for name in simulated}
    expected = factor * (
        table.counts(DATA, source).values - sum(counts.values for counts in nominal.values())
    )
    filled = table.counts(estimate.sample, region).values
    scale = factor * table.counts(DATA, source).values.sum()
    if not np.allclose(filled, expected, rtol=1e-6, atol=1e-6 * max(scale, 1.0)):
        raise LikelihoodError(
            f"sample {estimate.sample}, region {region}: the template is not {factor:.6g} times "
            f"data minus simulation of region {source}; templates and factor are of different runs"
        )
    varied = {
        (name, sample): _scaled(make_template_pair(table, name, sample, source, sides), factor)
        for name, samples in acting.items()
        for sample, sides in samples.items()
        if sample in nominal
        and (np.any(nominal[sample].variances > 0) or table.is_filled(sample, f"{name}_up"))
    }
    scaled = {
        name: BinYields(factor * counts.values, factor**2 * counts.variances)
        for name, counts in nominal.items()
        if np.any(counts.variances > 0)
    }
    kept = {key: item for key, item in varied.items() if key[1] in scaled}
    return estimate.sample, scaled, kept


def list_directions(
    varied: Mapping[tuple[str, str], TemplatePair],
    nominal: Mapping[str, BinYields],
    estimated: str | None,
    subtracted: Mapping[str, BinYields],
    subtracted_varied: Mapping[tuple[str, str], TemplatePair],
) -> dict[tuple[str, str], Array]:
    """List the templates under every variation, those of the `estimated` sample included."""
    found = {
        (f"{name}_{direction}", sample): getattr(variation, direction)
        for (name, sample), variation in varied.items()
        for direction in ("up", "down")
    }
    if estimated is not None and estimated in nominal:
        for (name, sample), variation in subtracted_varied.items():
            for direction in ("up", "down"):
                key = (f"{name}_{direction}", estimated)
                start = found.get(key, nominal[estimated].values)
                found[key] = start - getattr(variation, direction) + subtracted[sample].values
    return found


def _scaled(variation: TemplatePair, factor: float) -> TemplatePair:
    return TemplatePair(factor * variation.up, factor * variation.down)
