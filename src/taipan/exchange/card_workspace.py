"""The workspace of a datacard."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.exchange.card_model import CardModel, Channel, Process, morph_shift
from taipan.exchange.card_statistics import (
    BinParameters,
    choose_parameters,
    gauss_name,
    poisson_name,
    total_name,
)
from taipan.exchange.read_card import POI

Array = npt.NDArray[np.float64]

# Combine's signal strength ends at 0 and 20; an estimate below zero is allowed here.
POI_RANGE = (-20.0, 20.0)
# A free factor without a range ends at so many times its start.
FREE_RANGE = 10.0
LUMI = "lumi"
"""The one name that pyhf allows for a factor with a Gaussian constraint."""


def build_workspace(model: CardModel) -> dict[str, Any]:
    """Write a datacard as a pyhf workspace.

    Parameters
    ----------
    model
        Numbers of the card.

    Returns
    -------
    dict
        Workspace (schema 1.0.0). Free factors are ``normfactor``, ``lnN`` and changes of the
        integral ``normsys``, shapes ``histosys`` of the same name, ``autoMCStats`` ``staterror``
        and ``shapesys``. The control sample of ``gmN`` is a channel of one bin.
    """
    channels = [_channel(model, channel) for channel in model.channels]
    observations = [
        {"name": channel.name, "data": channel.observed.tolist()} for channel in model.channels
    ]
    for name, count in model.gammas.items():
        expected = [float(max(count, 1))]
        factor = {"name": name, "type": "normfactor", "data": None}
        sample = {"name": "control", "data": expected, "modifiers": [factor]}
        channels.append({"name": control_channel(name), "samples": [sample]})
        observations.append({"name": control_channel(name), "data": [float(count)]})
    return {
        "channels": channels,
        "observations": observations,
        "measurements": [
            {"name": "combine", "config": {"poi": POI, "parameters": _parameters(model)}}
        ],
        "version": "1.0.0",
    }


def control_channel(name: str) -> str:
    """Name of the channel that holds the control sample of a ``gmN``."""
    return f"gmN_{name}"


def factor_name(model: CardModel, name: str) -> str:
    """Name of a free factor in the workspace."""
    return LUMI if name in model.constrained else name


def _parameters(model: CardModel) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": POI, "inits": [1.0], "bounds": [list(POI_RANGE)]},
    ]
    frozen = {factor_name(model, name) for name in model.frozen}
    for rate in model.rates.values():
        far = FREE_RANGE * max(abs(rate.start), 1.0)
        low = rate.low if rate.low is not None else (-far if rate.start < 0.0 else 0.0)
        high = rate.high if rate.high is not None else far
        entry: dict[str, Any] = {
            "name": factor_name(model, rate.name),
            "inits": [rate.start],
            "bounds": [[low, high]],
        }
        if rate.name in model.constrained:
            mean, sigma = model.constrained[rate.name]
            entry |= {"auxdata": [mean], "sigmas": [sigma]}
        found.append(entry)
    for name, count in model.gammas.items():
        # far beyond seven standard deviations of a Poisson distribution
        high = (count + 10.0 * math.sqrt(count) + 30.0) / max(count, 1)
        found.append({"name": name, "inits": [1.0], "bounds": [[0.0, high]]})
    for entry in found:
        if entry["name"] in frozen:
            entry["fixed"] = True
            frozen.remove(entry["name"])
    return [*found, *({"name": name, "fixed": True} for name in sorted(frozen))]


def _channel(model: CardModel, channel: Channel) -> dict[str, Any]:
    statistics = choose_parameters(model, channel)
    return {
        "name": channel.name,
        "samples": [
            {
                "name": process.name,
                "data": process.values.tolist(),
                "modifiers": [
                    *_factors(model, process),
                    *_norms(process),
                    *_shapes(process, channel.statistics is not None),
                    *_statistics(channel, statistics, row),
                ],
            }
            for row, process in enumerate(channel.processes)
        ],
    }


def _factors(model: CardModel, process: Process) -> list[dict[str, Any]]:
    names = ((POI,) if process.signal else ()) + process.factors
    return [
        {
            "name": factor_name(model, name),
            "type": LUMI if name in model.constrained else "normfactor",
            "data": None,
        }
        for name in names
    ]


def _norms(process: Process) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "type": "normsys",
            "data": {"hi": math.exp(log_up), "lo": math.exp(log_down)},
        }
        for name, (log_down, log_up) in process.norms.items()
    ]


def _shapes(process: Process, in_propagator: bool) -> list[dict[str, Any]]:
    found = []
    for name, morph in process.morphs.items():
        up, down = (
            process.values + morph_shift(process.values, morph, side, in_propagator=in_propagator)
            for side in (1.0, -1.0)
        )
        data = {"hi_data": up.tolist(), "lo_data": down.tolist()}
        found.append({"name": name, "type": "histosys", "data": data})
    return found


def _statistics(channel: Channel, chosen: BinParameters, row: int) -> list[dict[str, Any]]:
    process = channel.processes[row]
    kinds: list[tuple[str, str, Array]] = []
    if chosen.total.any() and process.errors[chosen.total].any():
        data = np.where(chosen.total, process.errors, 0.0)
        kinds.append((total_name(channel.name), "staterror", data))
    poisson = chosen.poisson[row]
    if poisson.any():
        counted = poisson > 0.0
        data = np.where(counted, process.values / np.sqrt(np.where(counted, poisson, 1.0)), 0.0)
        kinds.append((poisson_name(channel.name, process.name), "shapesys", data))
    if chosen.gauss[row].any():
        data = np.where(chosen.gauss[row], process.errors, 0.0)
        kinds.append((gauss_name(channel.name, process.name), "staterror", data))
    return [{"name": n, "type": kind, "data": data.tolist()} for n, kind, data in kinds]
