"""The expected uncertainty at another luminosity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hist
import numpy as np

from taipan.config.model import Config
from taipan.config.sections.fit import AGAIN
from taipan.likelihood.asimov import expected_sigma
from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.workspace import build_workspace


def project(
    templates: hist.Hist,
    config: Config,
    observable: str,
    transfer: Mapping[str, Any] | None,
    factor: float,
) -> dict[str, Any]:
    """Build the model of `factor` times the data and the simulation, and give its expected σ.

    Yields and Σw² of every template are multiplied by the factor: data, same-sign data and
    simulation all have so many times the events. The relative uncertainty of the measured
    factors of an estimate shrinks with its root; all other systematic uncertainties and
    the network stay as they are. Bins are merged anew.

    Parameters
    ----------
    templates, config, observable, transfer
        As for :func:`taipan.likelihood.build_workspace`.
    factor
        Luminosity over that of the templates, positive.

    Returns
    -------
    dict
        ``factor``, ``sigma`` (expected σ of the parameter of interest), ``sigma_statistical``
        (free normalisations and the parameter of interest alone), ``edges`` of the signal
        regions, ``workspace``.

    Raises
    ------
    LikelihoodError
        If the factor is not positive, or no model can be built.
    """
    if not factor > 0:
        raise LikelihoodError(f"projection: factor {factor:g} must be positive")
    scaled = templates.copy(deep=True)
    view = scaled.view(flow=True)
    for part in ("value", "variance"):
        view[part] *= factor
    record = None if transfer is None else _shrink(transfer, float(np.sqrt(factor)))
    workspace, made = build_workspace(scaled, config, observable, record)
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
        "workspace": workspace,
    }


def _shrink(record: Any, divisor: float) -> Any:
    """Divide every relative uncertainty in what was measured for an estimate."""
    if isinstance(record, Mapping):
        return {
            key: value / divisor if key == "relative_uncertainty" else _shrink(value, divisor)
            for key, value in record.items()
        }
    return [_shrink(item, divisor) for item in record] if isinstance(record, list) else record
