"""The expected uncertainty at another luminosity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import hist
import numpy as np

from taipan.config.model import Config
from taipan.config.sections.fit import AGAIN
from taipan.errors import TaipanError
from taipan.estimates.registry import read_estimate
from taipan.labels import name_shifts
from taipan.likelihood.asimov import expected_sigma
from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.replicas import Fluctuations
from taipan.likelihood.workspace import build_workspace


def project(
    templates: hist.Hist,
    config: Config,
    observable: str,
    transfer: Mapping[str, Any] | None,
    factor: float,
    others: Mapping[str, hist.Hist] | None = None,
    bins: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, Any]:
    """Build the model of `factor` times the data and the simulation, and give its expected σ.

    Yields and Σw² of every template are multiplied by the factor: data, same-sign data and
    simulation all have so many times the events. The relative uncertainty of the measured
    factors of an estimate shrinks with its root; all other systematic uncertainties and
    the network stay as they are. A shift holds statistical noise, which would grow with the root of
    the factor: what that makes too much of its size is taken out of it
    (:mod:`taipan.likelihood.denoise`), where the errors of shifts are given.

    Parameters
    ----------
    templates, config, observable, transfer, others
        As for :func:`taipan.likelihood.build_workspace`.
    factor
        Luminosity over that of the templates, positive.
    bins
        Region → first original bin of each of its bins; where absent, bins are merged anew.

    Returns
    -------
    dict
        ``factor``, ``sigma`` (expected σ of the parameter of interest), ``sigma_statistical``
        (free normalisations and the parameter of interest alone), ``edges`` of the signal
        regions, ``bins`` (region → first original bin of each), ``workspace``.

    Raises
    ------
    LikelihoodError
        If the factor is not positive, or no model can be built.
    """
    if not factor > 0:
        raise LikelihoodError(f"projection: factor {factor:g} must be positive")
    scaled = _scale({observable: templates}, factor)[observable]
    record = None if transfer is None else _shrink(transfer, float(np.sqrt(factor)))
    workspace, made = build_workspace(
        *(scaled, config, observable, record, _scale(others or {}, factor)),
        bins=bins,
        noise_removed=max(0.0, 1.0 - 1.0 / factor),
    )
    names = {
        modifier["name"]
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }
    copies = {f"{name}{AGAIN}" for name in config.fit.pois}
    free = {*config.fit.pois, *config.fit.free_normalisations, *copies}
    return {
        "factor": factor,
        "sigma": expected_sigma(workspace),
        "sigma_statistical": expected_sigma(workspace, names - free),
        "edges": {
            name: region["edges_after"]
            for name, region in made["regions"].items()
            if region["role"] == "signal"
        },
        "bins": {name: region["starts"] for name, region in made["regions"].items()},
        "workspace": workspace,
    }


def projection_spread(
    templates: hist.Hist,
    config: Config,
    observable: str,
    transfer: Mapping[str, Any] | None,
    factor: float,
    others: Mapping[str, hist.Hist],
    bins: Mapping[str, Sequence[int]],
    replicas: int,
    rng: np.random.Generator,
) -> float:
    """Give the standard deviation of a projected σ over other samples of as many events.

    Parameters
    ----------
    templates, config, observable, transfer, factor, others, bins
        As for :func:`project`.
    replicas
        Number of samples, at least 2. Those from which no model can be built are left out.
    rng
        Random numbers.

    Raises
    ------
    LikelihoodError
        If no model can be built from more than half of the samples.
    """
    estimate = read_estimate(config.samples, transfer)
    shifts = others.get(name_shifts(observable))
    source = Fluctuations.of(templates, shifts, config, estimate)
    found = []
    for _ in range(replicas):
        try:
            drawn = source.draw(rng)
            sigma = project(drawn, config, observable, transfer, factor, others, bins)["sigma"]
        except TaipanError:
            continue
        found.append(sigma)
    if len(found) < max(2, replicas / 2):
        raise LikelihoodError(
            f"projection: no model of {replicas - len(found)} of {replicas} samples"
        )
    return float(np.std(found, ddof=1))


def _scale(histograms: Mapping[str, hist.Hist], factor: float) -> dict[str, hist.Hist]:
    """Multiply templates, and the errors of shifts as they are: chance is multiplied with them."""
    out = {}
    for name, histogram in histograms.items():
        out[name] = histogram.copy(deep=True)
        view = out[name].view(flow=True)
        if histogram.storage_type is hist.storage.Double:
            view *= factor**2
        else:
            for part in ("value", "variance"):
                view[part] *= factor
    return out


def _shrink(record: Any, divisor: float) -> Any:
    """Divide every relative uncertainty in what was measured for an estimate."""
    if isinstance(record, Mapping):
        return {
            key: value / divisor if key == "relative_uncertainty" else _shrink(value, divisor)
            for key, value in record.items()
        }
    return [_shrink(item, divisor) for item in record] if isinstance(record, list) else record
