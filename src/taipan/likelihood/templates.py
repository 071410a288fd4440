"""The templates of the fitted regions, as arrays with the merged binning.

Reads a filled histogram with axes (process, region, variation, observable), folds the flow bins
into the edge bins, collects the same-sign simulation that a data-driven sample has subtracted, and
merges bins.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import hist
import numpy as np
import numpy.typing as npt

from taipan.config.model import Config, Systematic
from taipan.likelihood.errors import LikelihoodError
from taipan.templates.merge import Counts, Merging, find_merging, merge_values
from taipan.templates.repair import Repair, describe_repair, repair_counts, repair_values

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]
Sides = Literal["both", "mirrored", "averaged"]
"""Two templates as filled; the up template mirrored onto down; ± half their difference."""

FITTED_ROLES = ("signal", "control")
DATA = "data"
NOMINAL = "nominal"
# Relative differences below this are floating-point noise of sums taken in another order.
SMALLEST_CHANGE = 1e-9


@dataclass(frozen=True)
class Table:
    """A histogram as arrays, flow bins folded into the edge bins.

    Attributes
    ----------
    processes, regions, variations
        Position of each category on its axis.
    edges
        Bin edges of the observable, ``n_bins + 1``.
    values, variances
        Σw and Σw², shape ``(process, region, variation, n_bins)``.
    """

    processes: Mapping[str, int]
    regions: Mapping[str, int]
    variations: Mapping[str, int]
    edges: tuple[float, ...]
    values: Array
    variances: Array

    def counts(self, process: str, region: str, variation: str = NOMINAL) -> Counts:
        """Give the yields of one template."""
        index = (self.processes[process], self.regions[region], self.variations[variation])
        return Counts(self.values[index], self.variances[index])

    def is_filled(self, process: str, variation: str) -> bool:
        """Tell whether the template has an entry in any region."""
        if variation not in self.variations:
            return False
        index = (self.processes[process], slice(None), self.variations[variation])
        return bool(np.any(self.variances[index] > 0))


@dataclass(frozen=True)
class Variation:
    """A template at ±1σ of a systematic; shape ``(n_bins,)`` each."""

    up: Array
    down: Array


@dataclass(frozen=True)
class RegionTemplates:
    """What is fitted in one region.

    Attributes
    ----------
    region
        Name of the region.
    nominal
        Sample → yields in merged bins.
    varied
        (systematic, sample) → templates at ±1σ in merged bins; simulated samples only.
    driven
        Data-driven sample (opposite-sign/same-sign factor times data minus simulation), if any.
    subtracted
        Simulated sample → its part of what `driven` has subtracted: the factor times its yield in
        the same-sign partner region, in merged bins (values positive for positive weights).
    subtracted_varied
        (systematic, sample) → the same at ±1σ.
    repaired
        Negative bins that were set to zero before bins were merged.
    data
        Observed counts in merged bins.
    merging
        The binning and how it came about.
    warnings
        What a reader of the result should know.
    """

    region: str
    nominal: Mapping[str, Counts]
    varied: Mapping[tuple[str, str], Variation]
    data: Array
    merging: Merging
    driven: str | None = None
    subtracted: Mapping[str, Counts] = field(default_factory=dict)
    subtracted_varied: Mapping[tuple[str, str], Variation] = field(default_factory=dict)
    repaired: tuple[Repair, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())


def read_table(histogram: hist.Hist, observable: str) -> Table:
    """Turn a histogram into arrays with under- and overflow folded into the edge bins.

    Parameters
    ----------
    histogram
        Weight storage; category axes ``process``, ``region``, ``variation``, then the observable.
    observable
        Name of the last axis.

    Returns
    -------
    Table
        New arrays; Σw and Σw² including flow are conserved.

    Raises
    ------
    LikelihoodError
        If the axes or the storage are not as described.
    """
    names = [axis.name for axis in histogram.axes]
    expected = ["process", "region", "variation", observable]
    if names != expected:
        raise LikelihoodError(f"histogram of {observable}: axes are {names}, expected {expected}")
    if not isinstance(histogram.storage_type(), hist.storage.Weight):
        raise LikelihoodError(
            f"histogram of {observable}: storage is {histogram.storage_type.__name__}, "
            "expected Weight"
        )
    categories = histogram.axes[:3]
    inner = tuple(slice(0, len(axis)) for axis in categories)
    view = histogram.view(flow=True)[inner]
    traits = histogram.axes[3].traits
    positions = [{str(label): i for i, label in enumerate(axis)} for axis in categories]
    return Table(
        processes=positions[0],
        regions=positions[1],
        variations=positions[2],
        edges=tuple(float(edge) for edge in histogram.axes[3].edges),
        values=_fold(view["value"], traits.underflow, traits.overflow),
        variances=_fold(view["variance"], traits.underflow, traits.overflow),
    )


def collect_regions(
    table: Table, config: Config, factor: float | None, *, merge: bool = True
) -> list[RegionTemplates]:
    """Collect and merge the templates of every fitted region.

    Parameters
    ----------
    table
        The filled templates.
    config
        Samples, regions, systematics and `templates`.
    factor
        Opposite-sign/same-sign factor with which the data-driven sample was made, None without
        such a sample.
    merge
        Merge bins that cannot be fitted; False keeps the bins of signal regions as they are, to
        choose bins from.

    Returns
    -------
    list of RegionTemplates
        In the order of the configuration.

    Raises
    ------
    LikelihoodError
        If a template is missing, or a simulated sample has Σw ≤ 0 in a fitted region.
    MergeError
        If a region cannot be made fittable.
    """
    fitted = [name for name, region in config.regions.items() if region.role in FITTED_ROLES]
    if not any(config.regions[name].role == "signal" for name in fitted):
        raise LikelihoodError("regions: none has `role: signal`, so there is nothing to fit")
    partners = [
        partner
        for name in fitted
        if factor is not None and (partner := config.regions[name].same_sign) is not None
    ]
    for kind, wanted, present in (
        ("process", [*config.samples, DATA], table.processes),
        ("region", [*fitted, *partners], table.regions),
        ("variation", [NOMINAL], table.variations),
    ):
        missing = [name for name in wanted if name not in present]
        if missing:
            raise LikelihoodError(
                f"templates: {kind} {', '.join(missing)} is missing; present: {', '.join(present)}"
            )
    shifted = {
        name: _affected_samples(table, config, name, systematic)
        for name, systematic in config.systematics.items()
        if systematic.kind != "rate"
    }
    return [_collect_region(table, config, region, shifted, factor, merge) for region in fitted]


def acts_in(systematic: Systematic, region: str) -> bool:
    """Tell whether a systematic acts in a region (`regions` absent: in all)."""
    return systematic.regions is None or region in systematic.regions


def largest_change(nominal: Array, varied: Array) -> float:
    """Largest change of a bin relative to its nominal yield (infinite if that is zero)."""
    difference = np.abs(varied - nominal)
    scale = np.abs(nominal)
    relative = np.divide(
        difference, scale, out=np.where(difference > 0, np.inf, 0.0), where=scale > 0
    )
    return float(relative.max())


def _fold(contents: npt.ArrayLike, underflow: bool, overflow: bool) -> Array:
    array = np.asarray(contents, dtype=np.float64)
    n_bins = array.shape[-1] - int(underflow) - int(overflow)
    first = int(underflow)
    folded = array[..., first : first + n_bins].copy()
    if underflow:
        folded[..., 0] += array[..., 0]
    if overflow:
        folded[..., -1] += array[..., -1]
    return folded


def _affected_samples(
    table: Table, config: Config, name: str, systematic: Systematic
) -> dict[str, Sides]:
    """Give the samples a systematic varies, and what is made of its two templates."""
    up, down = f"{name}_up", f"{name}_down"
    simulated = [sample for sample in systematic.samples if sample in config.samples]
    unfilled = [s for s in simulated if not table.is_filled(s, up) and table.is_filled(s, NOMINAL)]
    if unfilled:
        raise LikelihoodError(
            f"systematics.{name}: no template {up!r} for sample {', '.join(unfilled)}"
        )
    has_down = {sample: table.is_filled(sample, down) for sample in simulated}
    if any(has_down.values()) and not all(has_down.values()):
        lacking = ", ".join(sample for sample, present in has_down.items() if not present)
        raise LikelihoodError(
            f"systematics.{name}: sample {lacking} has no template {down!r}, the others have"
        )
    two_sided: Sides = "averaged" if systematic.symmetrize else "both"
    return {
        sample: two_sided if table.is_filled(sample, down) else "mirrored" for sample in simulated
    }


def _collect_region(
    table: Table,
    config: Config,
    region: str,
    shifted: Mapping[str, Mapping[str, Sides]],
    factor: float | None,
    merge: bool,
) -> RegionTemplates:
    nominal, warnings = _nominal_yields(table, config, region)
    acting = {n: s for n, s in shifted.items() if acts_in(config.systematics[n], region)}
    varied = {
        (name, sample): _variation(table, name, sample, region, sides)
        for name, samples in acting.items()
        for sample, sides in samples.items()
        if sample in nominal
    }
    driven, subtracted, subtracted_varied = _subtracted(table, config, region, acting, factor)
    repaired: tuple[Repair, ...] = ()
    if config.templates.negative_bins == "repair":
        nominal, varied, repaired = _repair(region, nominal, varied)
    single_bin = config.regions[region].role == "control"
    merging = (
        Merging(region, table.edges, table.edges, tuple(range(len(table.edges) - 1)))
        if not (merge or single_bin)
        else find_merging(
            region,
            table.edges,
            nominal,
            _directions(varied, nominal, driven, subtracted, subtracted_varied),
            backgrounds=[name for name, s in config.samples.items() if s.role == "background"],
            min_effective_events=config.templates.min_effective_events,
            single_bin=single_bin,
            may_be_negative=[name for name, item in nominal.items() if item.values.sum() <= 0],
        )
    )
    _log_merging(config, region, merging, warnings)
    starts = merging.starts
    return RegionTemplates(
        region=region,
        nominal=_merge_counts(nominal, starts),
        varied=_merge_variations(varied, starts),
        data=merge_values(table.counts(DATA, region).values, starts),
        merging=merging,
        driven=driven,
        subtracted=_merge_counts(subtracted, starts),
        subtracted_varied=_merge_variations(subtracted_varied, starts),
        repaired=repaired,
        warnings=(*warnings, *merging.warnings),
    )


def _subtracted(
    table: Table,
    config: Config,
    region: str,
    acting: Mapping[str, Mapping[str, Sides]],
    factor: float | None,
) -> tuple[str | None, dict[str, Counts], dict[tuple[str, str], Variation]]:
    """Give the data-driven sample and the same-sign simulation it has subtracted, by sample."""
    driven = [name for name, item in config.samples.items() if item.estimate == "same_sign"]
    partner = config.regions[region].same_sign
    if factor is None or not driven or partner is None:
        return None, {}, {}
    simulated = [name for name in config.samples if name not in driven]
    nominal = {name: table.counts(name, partner) for name in simulated}
    expected = factor * (
        table.counts(DATA, partner).values - sum(counts.values for counts in nominal.values())
    )
    filled = table.counts(driven[0], region).values
    scale = factor * table.counts(DATA, partner).values.sum()
    if not np.allclose(filled, expected, rtol=1e-6, atol=1e-6 * max(scale, 1.0)):
        raise LikelihoodError(
            f"sample {driven[0]}, region {region}: the template is not {factor:.6g} times data "
            f"minus simulation of region {partner}; templates and factor are of different runs"
        )
    varied = {
        (name, sample): _scaled(_variation(table, name, sample, partner, sides), factor)
        for name, samples in acting.items()
        for sample, sides in samples.items()
        if sample in nominal
        and (np.any(nominal[sample].variances > 0) or table.is_filled(sample, f"{name}_up"))
    }
    scaled = {
        name: Counts(factor * counts.values, factor**2 * counts.variances)
        for name, counts in nominal.items()
        if np.any(counts.variances > 0)
    }
    kept = {key: item for key, item in varied.items() if key[1] in scaled}
    return driven[0], scaled, kept


def _repair(
    region: str, nominal: Mapping[str, Counts], varied: Mapping[tuple[str, str], Variation]
) -> tuple[dict[str, Counts], dict[tuple[str, str], Variation], tuple[Repair, ...]]:
    """Set negative bins of every template to zero at the same total, and list them."""
    done: list[Repair] = []
    counts = {}
    for sample, item in nominal.items():
        counts[sample], scale = repair_counts(item)
        done += describe_repair(sample, region, NOMINAL, item.values, scale)
    variations = {}
    for (name, sample), variation in varied.items():
        sides = {}
        for direction in ("up", "down"):
            before = getattr(variation, direction)
            sides[direction], scale = repair_values(before)
            done += describe_repair(sample, region, f"{name}_{direction}", before, scale)
        variations[name, sample] = Variation(**sides)
    return counts, variations, tuple(done)


def _scaled(variation: Variation, factor: float) -> Variation:
    return Variation(factor * variation.up, factor * variation.down)


def _directions(
    varied: Mapping[tuple[str, str], Variation],
    nominal: Mapping[str, Counts],
    driven: str | None,
    subtracted: Mapping[str, Counts],
    subtracted_varied: Mapping[tuple[str, str], Variation],
) -> dict[tuple[str, str], Array]:
    """List the templates under every variation, the data-driven sample's included."""
    found = {
        (f"{name}_{direction}", sample): getattr(variation, direction)
        for (name, sample), variation in varied.items()
        for direction in ("up", "down")
    }
    if driven is not None and driven in nominal:
        for (name, sample), variation in subtracted_varied.items():
            for direction in ("up", "down"):
                key = (f"{name}_{direction}", driven)
                start = found.get(key, nominal[driven].values)
                found[key] = start - getattr(variation, direction) + subtracted[sample].values
    return found


def _merge_counts(counts: Mapping[str, Counts], starts: Sequence[int]) -> dict[str, Counts]:
    return {
        name: Counts(merge_values(item.values, starts), merge_values(item.variances, starts))
        for name, item in counts.items()
    }


def _merge_variations(
    varied: Mapping[tuple[str, str], Variation], starts: Sequence[int]
) -> dict[tuple[str, str], Variation]:
    return {
        key: Variation(merge_values(item.up, starts), merge_values(item.down, starts))
        for key, item in varied.items()
    }


def _log_merging(config: Config, region: str, merging: Merging, warnings: Sequence[str]) -> None:
    for bin_ in merging.merged:
        if config.regions[region].role == "signal":
            logger.info(
                "%s: bins %d-%d merged into [%g, %g): %s",
                region, bin_.bins[0], bin_.bins[-1], bin_.low, bin_.high, "; ".join(bin_.reasons),
            )  # fmt: skip
    for warning in (*warnings, *merging.warnings):
        logger.warning("%s", warning)


def _nominal_yields(
    table: Table, config: Config, region: str
) -> tuple[dict[str, Counts], tuple[str, ...]]:
    nominal: dict[str, Counts] = {}
    warnings: list[str] = []
    everything = {name: table.counts(name, region) for name in config.samples}
    if not any(np.any(counts.variances > 0) for counts in everything.values()):
        raise LikelihoodError(
            f"region {region}: no simulated or data-driven event passes its cut "
            f"({config.regions[region].cut})"
        )
    for name, counts in everything.items():
        sumw = float(counts.values.sum())
        if not np.all(np.isfinite(counts.values)):
            raise LikelihoodError(f"sample {name}, region {region}: Σw is {sumw}")
        if config.samples[name].estimate == "same_sign":
            if not np.any(counts.variances > 0):
                continue
            if sumw <= 0:
                warnings.append(
                    f"data-driven sample {name} has Σw = {sumw:.6g} in region {region}: data "
                    "are below the simulation of same sign"
                )
        elif sumw <= 0:
            raise LikelihoodError(
                f"sample {name}, region {region}: Σw = {sumw:.6g}; the yield of a simulated "
                "process must be positive"
            )
        nominal[name] = counts
    return nominal, tuple(warnings)


def _variation(table: Table, name: str, sample: str, region: str, sides: Sides) -> Variation:
    nominal = table.counts(sample, region).values
    up = table.counts(sample, region, f"{name}_up").values
    if sides == "mirrored":
        return Variation(up, 2.0 * nominal - up)
    down = table.counts(sample, region, f"{name}_down").values
    if sides == "both":
        return Variation(up, down)
    half = 0.5 * (up - down)
    return Variation(nominal + half, nominal - half)
