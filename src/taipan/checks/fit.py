"""Checks of the section `fit`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from taipan.config.base import LARGEST_NUMBER
from taipan.config.model import Config
from taipan.config.sections.fit import find_unscaled
from taipan.config.sections.regions import Region
from taipan.errors import TaipanError
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
    simulated = [name for name, sample in config.samples.items() if sample.is_simulated]
    yield from find_unscaled(fit, signals, simulated)
    yield from find_rates_of_prediction(config)
    yield from _check_binning_of_polynomials(config)
    yield from _check_normalisations(config)


def _check_binning_of_polynomials(config: Config) -> Problems:
    """Yield a line if bins are to be chosen for yields that are no simple factor."""
    fit, method = config.fit, config.templates.binning.method
    try:
        is_simple = all(scale.is_product for scale in fit.scales.values())
    except TaipanError:
        return  # said by find_unscaled
    is_simple &= all(interest.prediction == 1.0 for interest in fit.interests.values())
    if method != "none" and not is_simple:
        yield (
            f"templates.binning.method: '{method}' chooses bins for factors that are 1; fit.scale "
            "and predictions have others (none)"
        )


def find_rates_of_prediction(config: Config) -> Problems:
    """Yield a line for each rate that may be one of a cross section that is measured, and so on.

    An uncertainty of the prediction must not widen a measurement of what it predicts; one of the
    acceptance must. Nobody but the author knows which it is.
    """
    for name, interest in config.fit.interests.items():
        path = f"fit.parameters_of_interest.{name}"
        if interest.cross_section is None:
            for key in ("of_prediction", "of_acceptance"):
                if getattr(interest, key):
                    yield f"{path}.{key}: only with cross_section: '{name}' is a factor"
            continue
        if name == config.fit.poi and config.fit.cross_section is not None:
            yield f"fit.cross_section: {path}.cross_section says it already; leave one out"
        for key in ("of_prediction", "of_acceptance"):
            for i, systematic in enumerate(getattr(interest, key)):
                yield from _check_rate(f"{path}.{key}[{i}]", systematic, interest.samples, config)
        both = sorted({*interest.of_prediction} & {*interest.of_acceptance})
        if both:
            yield f"{path}.of_acceptance: '{both[0]}' is in of_prediction, too"
        for systematic, item in config.systematics.items():
            acts = sorted({*item.samples} & {*interest.samples})
            is_rate = item.yield_factor(1.0) is not None and item.group != "experimental"
            if (
                acts
                and is_rate
                and systematic
                not in (
                    *interest.of_prediction,
                    *interest.of_acceptance,
                )
            ):
                yield (
                    f"systematics.{systematic}: a rate of group {item.group} acts on {acts[0]}, "
                    f"whose cross section is measured ({path}); name it in of_prediction or "
                    "of_acceptance there"
                )


def _check_rate(path: str, name: str, samples: Sequence[str], config: Config) -> Problems:
    if name not in config.systematics:
        yield unknown(path, name, "systematic", config.systematics)
        return
    item = config.systematics[name]
    if item.yield_factor(1.0) is None:
        yield f"{path}: '{name}' is of kind {item.kind}, which changes shapes; only a rate can be"
    elif not {*item.samples} & {*samples}:
        yield f"{path}: '{name}' does not act on {', '.join(samples)}"


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
