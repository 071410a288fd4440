"""Goodness of fit, and whether the regions agree on the signal strength.

The saturated model (R. D. Cousins, "Generalization of chisquare goodness-of-fit test for binned
data using saturated models", 2013) predicts the data exactly; 2ΔlnL to it follows χ² where counts
are large. Toys replace that assumption.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from taipan.inference.batch import fit_many
from taipan.inference.blinding import signal_regions
from taipan.inference.compile import compile_model
from taipan.inference.errors import FitError
from taipan.inference.fit import FitResult, fit
from taipan.inference.model import CompiledModel
from taipan.inference.toys import SAME_STATISTIC, draw_data

Array = npt.NDArray[np.float64]

# Bound of a region's own parameter of interest: none that a fit meets. A region with little signal
# determines it badly, and a bound would keep the statistic from following χ².
_UNBOUNDED = 1e6


@dataclass(frozen=True)
class Goodness:
    """Goodness of fit.

    Attributes
    ----------
    statistic
        2ΔlnL between the fit and the saturated model.
    degrees
        Bins less free parameters without constraint.
    p_value
        From the χ² distribution; NaN without degrees of freedom.
    toys
        Number of pseudo-experiments, 0 for none.
    p_value_toys
        Fraction of them with a larger statistic; NaN without toys.
    """

    statistic: float
    degrees: int
    p_value: float
    toys: int
    p_value_toys: float


@dataclass(frozen=True)
class Compatibility:
    """Agreement of the regions on the parameter of interest.

    Attributes
    ----------
    regions
        Region → (estimate, Hesse σ) with a parameter of its own.
    statistic
        2ΔlnL between one common parameter and one for each region.
    degrees
        Number of regions less one.
    p_value
        From the χ² distribution.
    """

    regions: Mapping[str, tuple[float, float]]
    statistic: float
    degrees: int
    p_value: float


def goodness_to_json(found: Goodness) -> dict[str, Any]:
    """Give plain numbers: ``statistic``, ``degrees``, ``p_value``, ``toys``, ``p_value_toys``."""
    return {key: None if value != value else value for key, value in asdict(found).items()}


def compatibility_to_json(found: Compatibility) -> dict[str, Any]:
    """Give plain numbers: ``regions`` (name → [estimate, σ]), the rest as in the class."""
    return {**asdict(found), "regions": {name: list(pair) for name, pair in found.regions.items()}}


def goodness_of_fit(
    model: CompiledModel,
    data: Array,
    best: FitResult,
    *,
    toys: int = 0,
    rng: np.random.Generator | None = None,
) -> Goodness:
    """Compare a fit with the saturated model.

    Parameters
    ----------
    model, data, best
        The model, the data and their fit.
    toys
        Number of pseudo-experiments, drawn at the best fit with fluctuating auxiliary measurements.
    rng
        Their random numbers.

    Raises
    ------
    FitError
        If toys are wanted without random numbers, or more than 1 % of their fits fail.
    """
    statistic = max(2.0 * best.nllr, 0.0)
    free = ~model.parameters.fixed
    # the bin that ties a copy to its parameter is a constant
    bins = model.n_bins - len(model.copies)
    degrees = bins - int((free & ~model.parameters.constrained).sum())
    p_value = float(chi2.sf(statistic, degrees)) if degrees > 0 else float("nan")
    if not toys:
        return Goodness(statistic, degrees, p_value, 0, float("nan"))
    if rng is None:
        raise FitError("goodness of fit: toys need random numbers")
    drawn = np.stack([draw_data(model, best.values, rng) for _ in range(toys)])
    fits = fit_many(model, drawn, best.values)
    if len(fits.failures) > 0.01 * toys:
        raise FitError(f"goodness of fit: {len(fits.failures)} of {toys} toys could not be fitted")
    good = np.isfinite(fits.nllr)
    found = 2.0 * fits.nllr[good]
    beyond = found >= statistic - SAME_STATISTIC * max(1.0, statistic)
    return Goodness(statistic, degrees, p_value, int(good.sum()), float(beyond.mean()))


def channel_compatibility(
    workspace: Mapping[str, Any],
    model: CompiledModel,
    data: Array,
    best: FitResult,
    *,
    measurement: str | None = None,
    interpolation: Mapping[str, str] | None = None,
) -> Compatibility:
    """Fit with one parameter of interest, without bounds, for each region that has a signal.

    Parameters
    ----------
    workspace
        pyhf workspace of the model.
    model, data, best
        The model, the data and their fit with a common parameter.
    measurement, interpolation
        As the model was compiled with: :func:`taipan.inference.model.compile_model`.

    Raises
    ------
    FitError
        If fewer than two regions have a signal, or a fit fails.
    """
    poi = model.parameters.names[model.poi]
    acting = signal_regions(workspace, poi)
    if len(acting) < 2:
        raise FitError(f"compatibility: {poi!r} acts in {len(acting)} region, it takes two")
    own = {region: f"{poi}_{region}" for region in acting}
    separate = compile_model(
        _split(workspace, poi, own),
        measurement=measurement,
        interpolation=interpolation,
        lenient=True,
    )
    start = separate.parameters.initial.copy()
    here = [i for i, n in enumerate(separate.parameters.names) if n in model.parameters.names]
    there = [model.parameters.index(separate.parameters.names[i]) for i in here]
    start[here] = best.values[there]
    places = {region: separate.parameters.index(name) for region, name in own.items()}
    start[list(places.values())] = best.values[model.poi]
    found = fit(separate, _reorder(model, separate, data), start=start)
    statistic = max(0.0, 2.0 * (best.nllr - found.nllr))
    regions = {r: (float(found.values[i]), float(found.sigma[i])) for r, i in places.items()}
    degrees = len(regions) - 1
    return Compatibility(regions, statistic, degrees, float(chi2.sf(statistic, degrees)))


def _split(workspace: Mapping[str, Any], poi: str, own: Mapping[str, str]) -> dict[str, Any]:
    """Give the workspace with a parameter of interest for each region."""
    split = copy.deepcopy(dict(workspace))
    first = next(iter(own.values()))
    for channel in split["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["name"] == poi:  # which scales nothing where the region is not listed
                    modifier["name"] = own.get(channel["name"], first)
    for measurement in split["measurements"]:
        settings = measurement["config"]
        declared = [p for p in settings["parameters"] if p["name"] == poi] or [{}]
        settings["parameters"] = [p for p in settings["parameters"] if p["name"] != poi] + [
            {**declared[0], "name": name, "bounds": [[-_UNBOUNDED, _UNBOUNDED]]}
            for name in own.values()
        ]
        settings["poi"] = first
    return split


def _reorder(model: CompiledModel, other: CompiledModel, data: Array) -> Array:
    """Put data of one model into the order of another with the same regions and constraints."""
    counts = np.concatenate([data[: model.n_bins][model.regions[name]] for name in other.regions])
    names = [model.parameters.names[i] for i in model.auxiliary]
    measured = dict(zip(names, model.split_auxiliary(data)[0], strict=True))
    rest = [measured[other.parameters.names[i]] for i in other.auxiliary]
    return np.concatenate([counts, rest])
