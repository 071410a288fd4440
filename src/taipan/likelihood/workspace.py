"""The pyhf workspace: samples, modifiers, observations and the parameter of interest.

The model is HistFactory's (CERN-OPEN-2012-016) as implemented by pyhf (JOSS 6 (2021) 2823), so that
the file can be read and refitted by anyone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import hist
import numpy as np

from taipan.bin_statistics import find_groups, list_uncounted
from taipan.config.model import Config
from taipan.config.sections.fit import AGAIN, find_unscaled, fitted_regions
from taipan.config.sections.region_bins import choose_histogram
from taipan.config.sections.regions import EXPECTED_DATA
from taipan.config.truth_bins import name_strengths
from taipan.estimates.registry import find_estimate, read_estimate
from taipan.labels import name_shifts
from taipan.likelihood.asimov import expected_sigma
from taipan.likelihood.curvature_penalty import make_curvature_region
from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.modifiers import Builder
from taipan.likelihood.planes import add_planes
from taipan.likelihood.polynomial_parts import list_squares, make_tie
from taipan.likelihood.statistics import name_statistics
from taipan.likelihood.table import Table, plain, read_table
from taipan.likelihood.templates import RegionTemplates, collect_regions
from taipan.likelihood.treatment import record_to_json

logger = logging.getLogger(__name__)

# Range of a free normalisation: wide enough not to bind, positive because it multiplies a yield.
FREE_RANGE = (0.0, 10.0)


def build_workspace(
    templates: hist.Hist,
    config: Config,
    observable: str,
    transfer: Mapping[str, Any] | None,
    others: Mapping[str, hist.Hist] | None = None,
    *,
    bins: Mapping[str, Sequence[int]] | None = None,
    noise_removed: float = 0.0,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Build the statistical model of an analysis.

    Signal regions are binned in the observable, control regions are single bins, unless a region
    names an observable of its own. Each weight,
    kinematic or sample systematic is split into a change of yield (`normsys`, exponential
    interpolation, which stays positive) and a change of shape at fixed yield (`histosys`) that
    share one parameter. Σw² enters as one `staterror` parameter per bin for all backgrounds,
    those estimated from data included, and another for all signals.

    Parameters
    ----------
    templates
        Filled histogram with axes (process, region, variation, `observable`), Weight storage.
    config
        The configuration.
    observable
        Name of the observable fitted in the signal regions.
    transfer
        Record of what was measured for the sample estimated from data, its factor and the
        uncertainty; None if there is no such sample.
    others
        Observable → its histogram, for regions that name one of their own; and the histograms of
        the errors of shifts.
    bins
        Region → first original bin of each of its bins (``starts`` of a record), to compare models
        in the same bins; where absent, bins are merged as they need to be.
    noise_removed
        Part of the statistical variance that is taken out of the size of shifts, for projections.

    Returns
    -------
    workspace
        pyhf workspace (schema 1.0.0).
    record
        What was done: ``observable``, ``blinded``, ``regions`` (role, edges before and after,
        merged bins with reasons, yields), ``systematics`` (largest relative change of each),
        ``treatment`` (fit parameters, smoothed and pruned parts, expected σ of the parameter of
        interest with and without pruning), ``warnings``.

    Raises
    ------
    LikelihoodError
        For templates or settings from which no model can be built; names sample, region or key.
    MergeError
        If the bins of a region cannot be made fittable.
    """
    _check_parameters_of_interest(config)
    _check_names(config)
    estimate = read_estimate(config.samples, transfer)
    own = _read_own(config, observable, others or {})
    table = read_table(templates, observable, (others or {}).get(name_shifts(observable)))
    regions = collect_regions(table, config, estimate, own=own, bins=bins)
    regions = add_planes(regions, table, own, config, estimate)
    builder = Builder(config, estimate, prune=True, noise_removed=noise_removed)
    workspace = _workspace(builder, regions)
    builder.check_everything_acts()
    uncounted = list(list_uncounted(find_groups(workspace)))
    if uncounted:
        raise LikelihoodError(uncounted[0])
    blinded = not config.fit.unblind
    if not blinded and not any(region.data.any() for region in regions):
        raise LikelihoodError("data: no event in any fitted region")
    if not blinded:
        for region in regions:
            expected = sum(float(item.values.sum()) for item in region.nominal.values())
            if not region.data.any() and expected >= EXPECTED_DATA:
                raise LikelihoodError(
                    f"regions.{region.region}.cut: no event of data passes it, {expected:.4g} are "
                    "expected; mend it, or leave the region out (fit.leave_out)"
                )
    sigmas = None
    if builder.treatment.pruned:
        unpruned = Builder(config, estimate, prune=False, noise_removed=noise_removed)
        complete = _workspace(unpruned, regions)
        sigmas = {
            "without_pruning": expected_sigma(complete),
            "with_pruning": expected_sigma(workspace),
        }
    record = {
        "observable": observable,
        "blinded": blinded,
        "regions": {region.region: _region_record(region, config) for region in regions},
        "systematics": builder.changes,
        "treatment": {
            "repaired": [
                *(asdict(item) for region in regions for item in region.repaired),
                *map(asdict, builder.treatment.repaired),
            ],
            "looser": [asdict(item) for region in regions for item in region.looser],
            **record_to_json(builder.treatment, sigmas),
        },
        "warnings": [*(w for region in regions for w in region.warnings), *builder.warnings],
        **_describe_interests(config, builder.parts),
    }
    logger.info(
        "%s: %d regions, %d bins, %d systematics, %d parts pruned, %s",
        observable, len(regions), sum(len(region.data) for region in regions),
        len(builder.changes), len(builder.treatment.pruned),
        "blinded" if blinded else "unblinded",
    )  # fmt: skip
    return workspace, record


def build_fine_workspace(
    templates: hist.Hist,
    config: Config,
    observable: str,
    transfer: Mapping[str, Any] | None,
    others: Mapping[str, hist.Hist] | None = None,
) -> dict[str, Any]:
    """Build a workspace with the bins as filled, to choose bins from; nothing can be fitted to it.

    Parameters are those of :func:`build_workspace`. Nothing is merged, smoothed, pruned or
    repaired.
    """
    _check_parameters_of_interest(config)
    estimate = read_estimate(config.samples, transfer)
    own = _read_own(config, observable, others or {})
    table = read_table(templates, observable)
    regions = collect_regions(table, config, estimate, own=own, merge=False)
    return _workspace(Builder(config, estimate, prune=False, treat=False), regions)


def _read_own(
    config: Config, observable: str, histograms: Mapping[str, hist.Hist]
) -> dict[str, Table]:
    """Read the tables of the fitted regions with an observable or bins of their own."""
    found = {}
    for name in fitted_regions(config.regions, config.fit):
        chosen = choose_histogram(name, config.regions, observable, histograms)
        if chosen == observable:
            continue
        if chosen not in histograms:
            raise LikelihoodError(
                f"regions.{name}.observable: no templates of {chosen!r} "
                f"({', '.join(histograms) or 'there are none'})"
            )
        errors = histograms.get(name_shifts(chosen))
        found[name] = read_table(histograms[chosen], chosen, errors)
    return found


def _workspace(builder: Builder, regions: Sequence[RegionTemplates]) -> dict[str, Any]:
    config, blinded = builder.config, not builder.config.fit.unblind
    settings = {
        **{
            name: (config.fit.bounds(name), interest.prediction)
            for name, interest in config.fit.interests.items()
        },
        **dict.fromkeys(config.fit.free_normalisations, (FREE_RANGE, 1.0)),
    }
    channels = [builder.channel(region) for region in regions]
    settings |= dict.fromkeys(builder.free, (FREE_RANGE, 1.0))
    ties = []
    for name in list_squares(config.fit.scales.values()):
        settings[f"{name}{AGAIN}"] = settings[name]
        ties.append(make_tie(name, config.fit.bounds(name)))
    ties += _make_penalties(config)
    parameters = [
        {"name": name, "bounds": [list(limits)], "inits": [start]}
        for name, (limits, start) in settings.items()
    ]
    return {
        "channels": [*channels, *(channel for channel, _ in ties)],
        "observations": [
            *(
                {"name": region.region, "data": _observation(region, config, blinded)}
                for region in regions
            ),
            *(observation for _, observation in ties),
        ],
        # pyhf's measurements have one parameter of interest each
        "measurements": [
            {
                "name": config.analysis if i == 0 else f"{config.analysis}_{poi}",
                "config": {"poi": poi, "parameters": parameters},
            }
            for i, poi in enumerate(config.fit.pois)
        ],
        "version": "1.0.0",
    }


def _make_penalties(config: Config) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Give the regions that draw unfolded spectra to a line."""
    return [
        make_curvature_region(sample, name_strengths(sample, len(item.edges) - 1), item.curvature)
        for sample, item in config.fit.unfolding.items()
        if item.curvature is not None
    ]


def _check_parameters_of_interest(config: Config) -> None:
    low, high = config.fit.poi_range
    if not low < 1.0 < high:
        raise LikelihoodError(f"fit.poi_range: [{low:g}, {high:g}] must contain 1")
    signals = [name for name, sample in config.samples.items() if sample.role == "signal"]
    if not signals and not config.fit.parameters_of_interest:
        raise LikelihoodError("samples: none has `role: signal`, so there is nothing to measure")
    simulated = [name for name, sample in config.samples.items() if sample.is_simulated]
    for problem in find_unscaled(config.fit, signals, simulated):
        raise LikelihoodError(problem)


def _check_names(config: Config) -> None:
    taken: dict[str, str] = dict.fromkeys(config.fit.pois, "fit.poi")
    reserved = {
        name_statistics(region, is_signal=is_signal): "the statistics of a region"
        for region in config.regions
        for is_signal in (False, True)
    }
    taken.update(reserved)
    found = find_estimate(config.samples)
    if found is not None:
        estimated, method = found
        taken.update(dict.fromkeys(method.parameters, f"the estimate of {estimated}"))
        partners = {f"{name}{method.ending}" for name in config.samples} & set(config.samples)
        if partners:
            raise LikelihoodError(
                f"samples.{min(partners)}: the name is taken by simulation that is subtracted"
            )
    for section, names in (
        ("fit.free_normalisations", config.fit.free_normalisations),
        ("systematics", config.systematics),
    ):
        for name in names:
            if name in taken:
                raise LikelihoodError(f"{section}.{name}: the name is taken by {taken[name]}")
            taken[name] = section
    for name, factor in config.fit.normalisations.items():
        for sample in factor.samples:
            if sample not in config.samples:
                raise LikelihoodError(
                    f"fit.free_normalisations.{name}: {sample!r} is not a sample "
                    f"({', '.join(config.samples)})"
                )


def _observation(region: RegionTemplates, config: Config, blinded: bool) -> list[float]:
    if not (blinded and config.regions[region.region].role == "signal"):
        return plain(region.data)
    predictions = {name: item.prediction for name, item in config.fit.interests.items()}
    expected = np.zeros_like(region.data)
    for name, counts in region.nominal.items():
        is_signal = config.samples[name].role == "signal"
        scale = config.fit.find_scale(name, is_signal=is_signal)
        expected = expected + counts.values * (
            1.0 if scale is None else scale.evaluate(predictions)
        )
    return plain(expected)


def _describe_interests(config: Config, parts: Mapping[str, str]) -> dict[str, Any]:
    """Say what the results need to know of the parameters of interest; nothing of plain ones."""
    described = {}
    for name, interest in config.fit.interests.items():
        cited = interest.cross_section
        if cited is not None or interest.prediction != 1.0 or interest.label:
            described[name] = {
                "prediction": interest.prediction,
                "size": interest.unit_size,
                "unit": "" if cited is None else cited.unit,
                "source": "" if cited is None else cited.source,
                **({"label": interest.label} if interest.label else {}),
            }
    squares = list_squares(config.fit.scales.values())
    regions = [make_tie(name, (0.0, 1.0))[0] for name in squares]
    regions += [region for region, _ in _make_penalties(config)]
    idle = {part["name"]: "" for region in regions for part in region["samples"]}
    spectra = {
        sample: {
            "quantity": item.quantity,
            **({"label": item.label} if item.label else {}),
            "edges": list(item.edges),
            "unit": item.unit,
            "curvature": item.curvature,
            "strengths": name_strengths(sample, len(item.edges) - 1),
            "predicted": item.cross_sections,
            "predicted_unit": "" if item.cross_sections is None else item.cross_section_unit,
        }
        for sample, item in config.fit.unfolding.items()
    }
    return {
        **({"parts": {**parts, **idle}} if parts or idle else {}),
        **({"interests": described} if described else {}),
        **({"auxiliary": [region["name"] for region in regions]} if regions else {}),
        **({"unfolding": spectra} if spectra else {}),
    }


def _region_record(region: RegionTemplates, config: Config) -> dict[str, Any]:
    definition = config.regions[region.region]
    return {
        "role": definition.role,
        **({} if definition.observable is None else {"observable": definition.observable}),
        **region.merging.to_json(),
        "samples": {
            name: {
                "yield": float(counts.values.sum()),
                "stat": float(np.sqrt(counts.variances.sum())),
            }
            for name, counts in region.nominal.items()
        },
    }
