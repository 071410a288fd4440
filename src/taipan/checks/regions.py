"""Checks of what is fitted in each region: observable, bins, and whether it is left out."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence

from taipan.columns.expressions import certainly_shared, parse_expression, provably_disjoint
from taipan.config.model import Config
from taipan.config.sections.fit import fitted_regions
from taipan.config.sections.region_bins import own_histograms
from taipan.config.sections.regions import YIELD, Region
from taipan.errors import TaipanError
from taipan.events.overlap import exclusive_pairs
from taipan.labels import SCORE
from taipan.suggestions import unknown

Problems = Iterator[str]


def check_region_bins(config: Config, scores: Collection[str] = (SCORE,)) -> Problems:
    """Check `regions.*.observable`, `.binning` and `fit.leave_out`.

    Parameters
    ----------
    config
        The configuration.
    scores
        Observables that are scores of networks, which are between 0 and 1.

    Yields
    ------
    str
        One line a problem.
    """
    for name, region in config.regions.items():
        yield from _check_own_observable(name, region, config)
        yield from _check_own_binning(f"regions.{name}.binning", region, config, scores)
        yield from _check_reached(name, region, config)
        yield from _check_looser(name, region, config)
    for own in own_histograms(config.observables, config.regions, optimised=True):
        for section in ("observables", "control_plots"):
            if own in getattr(config, section):
                yield (
                    f"{section}.{own}: the name is that of the histogram with the bins of a region "
                    "(regions.*.binning); rename it"
                )
    yield from _check_left_out(config)
    yield from _check_sources(config)


def check_edges(path: str, edges: Sequence[float], *, is_score: bool) -> Problems:
    """Yield one line a problem of bin edges: not increasing, or beyond those of a score."""
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        if not low < high:
            yield f"{path}[{i + 1}]: {high:g} after {low:g}; edges must be strictly increasing"
    if is_score and not (min(edges) >= 0.0 and max(edges) <= 1.0):
        yield f"{path}: {min(edges):g} to {max(edges):g} is not within 0 to 1"


def _check_looser(name: str, region: Region, config: Config) -> Problems:
    """Yield one line a problem of `shapes_from`: unknown regions, shared events, own bins."""
    if region.shapes_from and region.binning is not None:
        yield f"regions.{name}.shapes_from: no other region is filled in the bins of its `binning`"
    for i, place in enumerate(region.shapes_from):
        path = f"regions.{name}.shapes_from[{i}]"
        if place not in config.regions or place == name:
            yield unknown(path, place, "region", [r for r in config.regions if r != name])
        elif certainly_shared(
            parse_expression(region.cut), parse_expression(config.regions[place].cut)
        ):
            yield f"{path}: '{place}' shares events with '{name}'; take one that is disjoint"


def _check_own_observable(name: str, region: Region, config: Config) -> Problems:
    path, chosen = f"regions.{name}.observable", region.observable
    if chosen is None:
        return
    if chosen not in (YIELD, *config.observables):
        yield unknown(path, chosen, "observable", [YIELD, *config.observables])
    elif region.role == "estimate":
        yield f"{path}: '{chosen}': a region with role estimate is not fitted (signal, control)"


def _check_own_binning(
    path: str, region: Region, config: Config, scores: Collection[str]
) -> Problems:
    if region.binning is None:
        return
    if not region.is_fitted:
        yield f"{path}: a region with role estimate is not fitted (signal, control)"
    elif region.is_single_bin:
        yield f"{path}: the region is fitted as a yield; name its `observable` for bins"
    elif isinstance(region.binning, list) and region.observable is None:
        yield (
            f"{path}: edges of which observable? Name it in `observable`, or give the edges of "
            f"each ({', '.join(f'{name}: [...]' for name in config.observables)})"
        )
    elif isinstance(region.binning, dict):
        known = [region.observable] if region.observable else list(config.observables)
        for name in region.binning:
            if name not in known:
                yield unknown(f"{path}.{name}", name, "observable fitted there", known)
    by_name = region.binning if isinstance(region.binning, dict) else {"": region.binning}
    for name, edges in by_name.items():
        where = f"{path}.{name}" if name else path
        if len(edges) < 2:
            yield f"{where}: {len(edges)} edge(s); at least two are needed"
            continue
        source = _find_source(name or region.observable or "", config)
        yield from check_edges(where, edges, is_score=source in scores)


def _find_source(observable: str, config: Config) -> str | None:
    """Give the quantity that an observable is; None if there is no such observable."""
    found = config.observables.get(observable)
    return None if found is None else found.quantity or observable


def _check_reached(name: str, region: Region, config: Config) -> Problems:
    """Yield a line for each observable of a fitted region that no event has within its bins."""
    if not region.is_fitted or region.is_single_bin:
        return
    common = (config.fit.observable, config.fit.reference) if region.role == "signal" else ()
    for chosen in [region.observable] if region.observable else list(filter(None, common)):
        source = _find_source(chosen, config)
        if source is None:
            continue  # reported as that
        edges = region.edges_of(chosen) or config.observables[chosen].binning
        if len(edges) < 2:
            continue
        try:
            cut = parse_expression(region.cut)
            within = parse_expression(f"{source} >= {edges[0]!r} and {source} < {edges[-1]!r}")
        except TaipanError:
            continue  # a cut that cannot be read has a line of its own
        if provably_disjoint(cut, within):
            yield (
                f"regions.{name}.cut: '{region.cut}' leaves no value of {source} within the bins "
                f"of '{chosen}', {edges[0]:g} to {edges[-1]:g}; change the bins there "
                f"(regions.{name}.binning) or the cut"
            )


def _check_sources(config: Config) -> Problems:
    """Yield a line for regions of an estimate whose cuts let events be in another one, too."""
    try:
        pairs = exclusive_pairs(config.regions, config.samples)
    except TaipanError:
        return  # a cut that cannot be read has a line of its own
    for first, second in pairs:
        regions = [config.regions[name] for name in (first, second)]
        if all(item.is_fitted for item in regions):
            continue  # reported as that
        if certainly_shared(*(parse_expression(item.cut) for item in regions)):
            yield (
                f"regions.{second}.cut: '{regions[1].cut}' is not shown to be disjoint from region "
                f"'{first}' ('{regions[0].cut}'); an estimate needs other events in each, and none "
                "of a fitted region"
            )


def _check_left_out(config: Config) -> Problems:
    known = [name for name, item in config.regions.items() if item.is_fitted]
    for i, name in enumerate(config.fit.leave_out):
        if name not in known:
            yield unknown(f"fit.leave_out[{i}]", name, "region with role signal or control", known)
    left = fitted_regions(config.regions, config.fit)
    if config.fit.leave_out and not any(config.regions[name].role == "signal" for name in left):
        yield (
            f"fit.leave_out: {', '.join(config.fit.leave_out)}: no region with role signal is left "
            "to fit"
        )
