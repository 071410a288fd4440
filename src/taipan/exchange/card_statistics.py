"""Which parameters the statistical uncertainties of a channel of a datacard have.

The rules are those of Combine's ``CMSHistErrorPropagator::setupBinPars``: above a threshold of
effective events one parameter for each bin (Barlow and Beeston's method in its short form),
below it one for each process in the bin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taipan.exchange.card_model import CardModel, Channel

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]

# Combine lets a Poisson distribution stand for an uncertainty of all of the yield.
WHOLE = 0.999


@dataclass(frozen=True)
class BinParameters:
    """Kinds of the parameters of a channel.

    Attributes
    ----------
    total
        Bins with one parameter for all processes, shape ``(n,)``.
    poisson
        Effective events of processes with a parameter of their own that is counted, zero for the
        others; shape ``(processes, n)``.
    gauss
        Processes with a parameter of their own that is Gaussian, shape ``(processes, n)``.
    """

    total: Mask
    poisson: Array
    gauss: Mask


def total_name(channel: str) -> str:
    """Name of the parameters of all processes of a channel."""
    return f"prop_bin{channel}"


def poisson_name(channel: str, process: str) -> str:
    """Name of the counted parameters of one process."""
    return f"prop_bin{channel}_{process}"


def gauss_name(channel: str, process: str) -> str:
    """Name of the Gaussian parameters of one process."""
    return f"prop_bin{channel}_{process}_gauss"


def choose_parameters(model: CardModel, channel: Channel) -> BinParameters:
    """Decide bin by bin; nothing if the channel has no line ``autoMCStats``."""
    shape = (len(channel.processes), len(channel.observed))
    total, poisson, gauss = np.zeros(shape[1], bool), np.zeros(shape), np.zeros(shape, bool)
    rule = channel.statistics
    if rule is None:
        return BinParameters(total, poisson, gauss)
    values = np.array([p.values for p in channel.processes])
    errors = np.array([p.errors for p in channel.processes])
    scale = np.array([[np.prod([model.start(f) for f in p.factors])] for p in channel.processes])
    counted = np.array([[rule.include_signal or not p.signal] for p in channel.processes])
    sums = (counted * scale * values).sum(axis=0)
    squares = np.square(counted * scale * errors).sum(axis=0)
    for i in np.flatnonzero(squares > 0.0):
        if np.floor(0.5 + sums[i] ** 2 / squares[i]) > rule.threshold:
            total[i] = True
            continue
        for k, (value, error) in enumerate(zip(values[:, i], errors[:, i], strict=True)):
            if error <= 0.0 or value < 0.0:
                continue
            effective = np.floor(0.5 + value**2 / error**2)
            if value >= WHOLE * error and 0.0 < effective <= rule.threshold:
                poisson[k, i] = effective
            elif value > 0.0:
                gauss[k, i] = True
    return BinParameters(total, poisson, gauss)
