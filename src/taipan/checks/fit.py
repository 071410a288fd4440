"""Checks of the section `fit`."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.config.base import LARGEST_NUMBER
from taipan.config.model import Config
from taipan.config.sections.fit import find_unscaled
from taipan.config.sections.regions import Region
from taipan.suggestions import unknown

Problems = Iterator[str]


def fittable_regions(config: Config) -> dict[str, Region]:
    """Give the regions that can enter the fit: those with role signal or control."""
    return {name: item for name, item in config.regions.items() if item.is_fitted}


def check_fit(config: Config) -> Problems:
    """Yield one line a problem of `fit`."""
    fit = config.fit
    low, high = fit.poi_range
    for i, bound in enumerate(fit.poi_range):
        if abs(bound) > LARGEST_NUMBER:
            yield f"fit.poi_range[{i}]: {bound:g} is too large (at most {LARGEST_NUMBER:g} in size)"
    if not low < 1.0 < high:
        yield (
            f"fit.poi_range: [{low:g}, {high:g}] must increase and contain 1, the value expected "
            "in the standard model"
        )
    for key in ("observable", "reference"):
        name = getattr(fit, key)
        if name is not None and name not in config.observables:
            yield unknown(f"fit.{key}", name, "observable", config.observables)
    fitted = {
        region.choose_observable(fit.observable)
        for region in fittable_regions(config).values()
        if not region.is_single_bin
    }
    if fitted and fit.observable in config.observables and fit.observable not in fitted:
        yield (
            f"fit.observable: '{fit.observable}' is fitted in no region; each has an observable of "
            f"its own ({', '.join(sorted(fitted))})"
        )
    if fit.observable == fit.reference:
        yield f"fit.reference: '{fit.reference}' is already fit.observable; set it to null for none"
    signals = [name for name, sample in config.samples.items() if sample.role == "signal"]
    yield from find_unscaled(fit, signals)
    yield from _check_normalisations(config)


def _check_normalisations(config: Config) -> Problems:
    """Yield one line a problem of `fit.free_normalisations`."""
    floating: dict[tuple[str, str], str] = {}
    regions = fittable_regions(config)
    for parameter, factor in config.fit.normalisations.items():
        path = f"fit.free_normalisations.{parameter}"
        yield from (
            unknown(path, name, "fitted region", regions)
            for name in factor.regions or ()
            if name not in regions
        )
        for sample in factor.samples:
            if sample not in config.samples:
                yield unknown(path, sample, "sample", config.samples)
                continue
            places = [(sample, region) for region in factor.regions or regions]
            taken = [floating[place] for place in places if place in floating]
            if taken:
                yield f"{path}: the normalisation of '{sample}' is already free ({taken[0]})"
            for place in places:
                floating.setdefault(place, parameter)
