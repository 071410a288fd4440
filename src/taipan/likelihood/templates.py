"""The templates of the fitted regions, as arrays with the merged binning.

Collects yields, variations and the simulation that a sample estimated from data has subtracted,
merges bins, and repairs what is negative in single samples after that.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from taipan.config.model import Config
from taipan.config.sections.fit import fitted_regions
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.selection import belongs_to
from taipan.labels import DATA, NOMINAL, Sides
from taipan.likelihood.counted import FreeYields
from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.looser import LooserShape, add_looser
from taipan.likelihood.merge import BinYields, Merging, find_merging, merge_values, take_bins
from taipan.likelihood.repair import Repair, describe_repair, repair_counts
from taipan.likelihood.subtracted import PartYields, find_subtracted
from taipan.likelihood.table import Table, TemplatePair, make_template_pair
from taipan.systematics.base import Systematic

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]


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
    estimated
        Sample estimated from data (factor times data minus simulation of the source), if any.
    subtracted
        Simulated sample → its part of what `estimated` has subtracted: the factor times its yield
        in the source of the region, in merged bins (values positive for positive weights).
    subtracted_varied
        (systematic, sample) → the same at ±1σ.
    parts
        Parts of the estimate, each with the parameters of its factor.
    free
        The estimated sample, if its yields are free here: then `estimated` is None.
    repaired
        Negative merged bins of nominal samples that were set to zero.
    data
        Observed counts in merged bins.
    merging
        The binning and how it came about.
    looser
        Shapes of shifts that were compared with those of a looser selection.
    warnings
        What a reader of the result should know.
    """

    region: str
    nominal: Mapping[str, BinYields]
    varied: Mapping[tuple[str, str], TemplatePair]
    data: Array
    merging: Merging
    estimated: str | None = None
    subtracted: Mapping[str, BinYields] = field(default_factory=dict)
    subtracted_varied: Mapping[tuple[str, str], TemplatePair] = field(default_factory=dict)
    parts: tuple[PartYields, ...] = ()
    free: FreeYields | None = None
    repaired: tuple[Repair, ...] = field(default=())
    looser: tuple[LooserShape, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())


def collect_regions(
    table: Table,
    config: Config,
    estimate: MeasuredEstimate | None,
    *,
    own: Mapping[str, Table] | None = None,
    merge: bool = True,
    bins: Mapping[str, Sequence[int]] | None = None,
) -> list[RegionTemplates]:
    """Collect and merge the templates of every fitted region.

    Parameters
    ----------
    table
        The filled templates of the fit's observable.
    config
        Samples, regions, systematics and `templates`.
    estimate
        Estimate with which a sample was made from data, None if all are simulated.
    own
        Region → the filled templates of its own observable.
    merge
        Merge bins that cannot be fitted; False keeps the bins of signal regions as they are, to
        choose bins from.
    bins
        Region → first original bin of each of its bins; where absent, bins are merged.

    Returns
    -------
    list of RegionTemplates
        In the order of the configuration.

    Raises
    ------
    LikelihoodError
        If a template is missing, or a simulated sample with events in a fitted region has
        Σw ≤ 0 there.
    MergeError
        If a region cannot be made fittable.
    """
    fitted = fitted_regions(config.regions, config.fit)
    if not any(config.regions[name].role == "signal" for name in fitted):
        raise LikelihoodError("regions: none has `role: signal`, so there is nothing to fit")
    sources = [place for name in fitted if estimate for place in estimate.filled_in(name)]
    for kind, wanted, present in (
        ("process", [*config.samples, DATA], table.processes),
        ("region", [*fitted, *sources], table.regions),
        ("variation", [NOMINAL], table.variations),
    ):
        missing = [name for name in wanted if name not in present]
        if missing:
            raise LikelihoodError(
                f"templates: {kind} {', '.join(missing)} is missing; present: {', '.join(present)}"
            )
    shifted = list_shifted(table, config)
    tables = {region: (own or {}).get(region, table) for region in fitted}
    return [
        _collect_region(
            *(tables[region], config, region, shifted, estimate, merge), (bins or {}).get(region)
        )
        for region in fitted
    ]


def list_shifted(table: Table, config: Config) -> dict[str, dict[str, Sides]]:
    """Give systematic with templates → the samples that it varies, and what is made of them."""
    return {
        name: _affected_samples(table, config, name, systematic)
        for name, systematic in config.systematics.items()
        if systematic.has_templates
    }


def acts_in(systematic: Systematic, region: str) -> bool:
    """Tell whether a systematic acts in a region (`regions` absent: in all)."""
    return systematic.regions is None or region in systematic.regions


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
    return {
        sample: systematic.two_sides if table.is_filled(sample, down) else "mirrored"
        for sample in simulated
    }


def _collect_region(
    table: Table,
    config: Config,
    region: str,
    shifted: Mapping[str, Mapping[str, Sides]],
    estimate: MeasuredEstimate | None,
    merge: bool,
    given: Sequence[int] | None,
) -> RegionTemplates:
    nominal, warnings = _nominal_yields(table, config, region)
    if not config.regions[region].is_single_bin:
        warnings += _warn_of_edges(table, nominal, region)
    acting = {n: s for n, s in shifted.items() if acts_in(config.systematics[n], region)}
    varied = {
        (name, sample): make_template_pair(table, name, sample, region, sides)
        for name, samples in acting.items()
        for sample, sides in samples.items()
        if sample in nominal
    }
    found = find_subtracted(table, config, region, acting, estimate)
    estimated, subtracted, subtracted_varied = found.estimated, found.counts, found.varied
    definition = config.regions[region]
    single_bin = definition.is_single_bin
    keeps_bins = not (merge or single_bin) and definition.role == "signal"
    positive = [name for name, item in nominal.items() if item.values.sum() > 0]
    merging = (
        take_bins(region, table.edges, range(len(table.edges) - 1) if given is None else given)
        if keeps_bins or given is not None
        else find_merging(
            region,
            table.edges,
            nominal,
            backgrounds=[name for name, s in config.samples.items() if s.role == "background"],
            min_effective_events=config.templates.min_effective_events,
            single_bin=single_bin,
            not_negative=positive if config.templates.negative_bins == "merge" else (),
            subtracted=subtracted,
        )
    )
    _log_merging(config, region, merging, warnings)
    starts = merging.starts
    nominal, varied = merge_counts(nominal, starts), merge_variations(varied, starts)
    varied, looser = _take_looser(table, config, region, (nominal, varied), acting, starts)
    repaired: tuple[Repair, ...] = ()
    if not keeps_bins:
        nominal, repaired = _repair(region, nominal)
    return RegionTemplates(
        region=region,
        nominal=nominal,
        varied=varied,
        data=merge_values(table.counts(DATA, region).values, starts),
        merging=merging,
        estimated=estimated,
        subtracted=merge_counts(subtracted, starts),
        subtracted_varied=merge_variations(subtracted_varied, starts),
        parts=tuple(
            replace(
                part,
                data=merge_values(part.data, starts),
                simulated={n: merge_values(item, starts) for n, item in part.simulated.items()},
            )
            for part in found.parts
        ),
        repaired=repaired,
        looser=looser,
        warnings=(*warnings, *merging.warnings),
    )


def _take_looser(
    table: Table,
    config: Config,
    region: str,
    own: tuple[Mapping[str, BinYields], Mapping[tuple[str, str], TemplatePair]],
    acting: Mapping[str, Mapping[str, Sides]],
    starts: Sequence[int],
) -> tuple[dict[tuple[str, str], TemplatePair], tuple[LooserShape, ...]]:
    """Take shapes of shifts of simulated samples from looser regions where they agree."""
    nominal, varied = own
    made, records = dict(varied), []
    for name, sample in varied:
        everywhere = config.systematics[name].regions is None
        if not (everywhere and config.samples[sample].is_simulated):
            continue
        looser = {
            place: (
                merge_counts({sample: table.counts(sample, place)}, starts)[sample],
                make_template_pair(table, name, sample, place, acting[name][sample]).merge(starts),
            )
            for place in config.regions[region].shapes_from
        }
        key = (name, sample)
        made[key], record = add_looser(
            (name, sample, region), (nominal[sample], varied[key]), looser
        )
        records += [] if record is None else [record]
    return made, tuple(records)


def _repair(
    region: str, nominal: Mapping[str, BinYields]
) -> tuple[dict[str, BinYields], tuple[Repair, ...]]:
    """Set negative bins of nominal templates to zero at the same total, and list them."""
    done: list[Repair] = []
    counts = {}
    for sample, item in nominal.items():
        counts[sample], scale = repair_counts(item)
        done += describe_repair(sample, region, NOMINAL, item.values, scale)
    return counts, tuple(done)


def _warn_of_edges(table: Table, nominal: Mapping[str, BinYields], region: str) -> tuple[str, ...]:
    """Say if everything is in the first or the last bin, as with edges of another unit."""
    filled = np.flatnonzero(sum(item.variances for item in nominal.values()))
    edges = table.edges
    last = len(edges) - 2
    if last < 1 or len(filled) != 1 or filled[0] not in (0, last):
        return ()
    side = "below" if filled[0] == 0 else "above"
    return (
        f"region {region}: every event is in the bin {edges[filled[0]]:g} to "
        f"{edges[filled[0] + 1]:g} or {side} it; the binning may be in another unit",
    )


def merge_counts(counts: Mapping[str, BinYields], starts: Sequence[int]) -> dict[str, BinYields]:
    """Merge the bins of each sample."""
    return {
        name: BinYields(merge_values(item.values, starts), merge_values(item.variances, starts))
        for name, item in counts.items()
    }


def merge_variations(
    varied: Mapping[tuple[str, str], TemplatePair], starts: Sequence[int]
) -> dict[tuple[str, str], TemplatePair]:
    """Merge the bins of each varied template."""
    return {key: item.merge(starts) for key, item in varied.items()}


def _log_merging(config: Config, region: str, merging: Merging, warnings: Sequence[str]) -> None:
    for bin_ in merging.merged:
        if not config.regions[region].is_single_bin:
            logger.info(
                "%s: bins %d-%d merged into [%g, %g): %s",
                region, bin_.bins[0], bin_.bins[-1], bin_.low, bin_.high, "; ".join(bin_.reasons),
            )  # fmt: skip
    for warning in (*warnings, *merging.warnings):
        logger.warning("%s", warning)


def _nominal_yields(
    table: Table, config: Config, region: str
) -> tuple[dict[str, BinYields], tuple[str, ...]]:
    nominal: dict[str, BinYields] = {}
    warnings: list[str] = []
    everything = {name: table.counts(name, region) for name in config.samples}
    if not any(np.any(counts.variances > 0) for counts in everything.values()):
        raise LikelihoodError(
            f"region {region}: no simulated or estimated event passes its cut "
            f"({config.regions[region].cut})"
        )
    for name, counts in everything.items():
        sumw = float(counts.values.sum())
        if not np.all(np.isfinite(counts.values)):
            raise LikelihoodError(f"sample {name}, region {region}: Σw is {sumw}")
        if not config.samples[name].is_simulated:
            if not np.any(counts.variances > 0):
                continue
            if sumw <= 0:
                warnings.append(
                    f"sample {name}, estimated from data, has Σw = {sumw:.6g} in region {region}: "
                    "data are below the simulation that is subtracted"
                )
        elif not np.any(counts.variances > 0):
            if belongs_to(config.samples[name], region, config.regions):
                warnings.append(
                    f"sample {name} has no event in region {region} and is left out there"
                )
            continue
        elif sumw <= 0:
            raise LikelihoodError(
                f"sample {name}, region {region}: Σw = {sumw:.6g}; the yield of a simulated "
                f"process must be positive (confine it with samples.{name}.regions, or use more "
                "events)"
            )
        nominal[name] = counts
    return nominal, tuple(warnings)
