"""Uncertainties of bins of a workspace as histogram errors with a line ``autoMCStats``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.exchange.card_statistics import WHOLE
from taipan.exchange.errors import ExchangeError

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Combine rounds effective events to whole numbers; this far from one, nothing is lost.
WHOLE_NUMBER = 1e-6


@dataclass(frozen=True)
class ChannelStatistics:
    """The errors of the templates of a channel, and the line that makes parameters of them.

    Attributes
    ----------
    errors
        Shape ``(processes, n)``.
    threshold, include_signal
        Of ``autoMCStats``.
    total
        Name of the ``staterror`` of whole bins.
    poisson, gauss
        Row of a process → name of its own ``shapesys`` or ``staterror``.
    shapes
        ``staterror`` that a line ``autoMCStats`` cannot hold → row of a process → uncertainties.
    """

    errors: Array
    threshold: int
    include_signal: bool
    total: str | None
    poisson: Mapping[int, str]
    gauss: Mapping[int, str]
    shapes: Mapping[str, Mapping[int, Array]]


def translate_statistics(
    region: str,
    samples: Sequence[Mapping[str, Any]],
    signal: Sequence[bool],
    start: Sequence[float],
    fixed: Collection[str],
) -> ChannelStatistics | None:
    """Find errors of histograms and a threshold from which Combine makes the same parameters.

    Parameters
    ----------
    region
        Name of the region, for messages.
    samples
        Its samples.
    signal, start
        For each sample whether it is signal, and the product of its free factors at their start.
    fixed
        Parameters held constant.

    Returns
    -------
    ChannelStatistics or None
        ``None`` if no bin has an uncertainty.

    Raises
    ------
    ExchangeError
        If there are none; names the modifier.
    """
    values = np.array([sample["data"] for sample in samples], dtype=np.float64)
    groups: dict[tuple[str, str], dict[int, Array]] = {}
    for row, sample in enumerate(samples):
        for modifier in sample["modifiers"]:
            if modifier["type"] in ("staterror", "shapesys") and modifier["name"] not in fixed:
                data = np.asarray(modifier["data"], dtype=np.float64)
                groups.setdefault((modifier["type"], modifier["name"]), {})[row] = data
    groups = {key: rows for key, rows in groups.items() if any(d.any() for d in rows.values())}
    if not groups:
        return None
    try:
        return _in_one_line(region, samples, values, signal, start, groups, {})
    except ExchangeError:
        shapes = _apart(groups)
        rest = {key: rows for key, rows in groups.items() if key[1] not in shapes}
        if not shapes or len(rest) == 0:
            raise
    return _in_one_line(region, samples, values, signal, start, rest, shapes)


def _apart(groups: Mapping[tuple[str, str], Mapping[int, Array]]) -> dict[str, Mapping[int, Array]]:
    """List every ``staterror`` but that of most samples."""
    sizes = {name: len(rows) for (kind, name), rows in groups.items() if kind == "staterror"}
    largest = max(sizes, key=lambda name: sizes[name], default=None)
    return {
        name: rows
        for (kind, name), rows in groups.items()
        if kind == "staterror" and name != largest
    }


def _in_one_line(
    region: str,
    samples: Sequence[Mapping[str, Any]],
    values: Array,
    signal: Sequence[bool],
    start: Sequence[float],
    groups: Mapping[tuple[str, str], Mapping[int, Array]],
    shapes: Mapping[str, Mapping[int, Array]],
) -> ChannelStatistics:
    """Put all groups into one line ``autoMCStats``."""
    total = _choose_total(groups)
    errors = np.zeros_like(values)
    whole = np.zeros(values.shape[1], dtype=np.bool_)
    counted, gaussian = np.zeros(values.shape), np.zeros(values.shape, dtype=np.bool_)
    poisson: dict[int, str] = {}
    gauss: dict[int, str] = {}
    for (kind, name), rows in groups.items():
        for row, data in rows.items():
            filled = data > 0.0
            clash = filled & (errors[row] > 0.0)
            if clash.any():
                raise ExchangeError(
                    f"region {region}, sample {samples[row]['name']}, bin {int(np.argmax(clash))}: "
                    f"{kind} {name!r} is the second uncertainty of this bin (one in a datacard)"
                )
            errors[row] += data
            if name == total:
                whole |= filled
            elif kind == "shapesys":
                poisson[row] = name
                counted[row] = _count(region, name, values[row], data)
            elif len(rows) > 1:
                raise ExchangeError(
                    f"region {region}: staterror {total!r} and {name!r} both act on several samples"
                )
            else:
                gauss[row] = name
                gaussian[row] = filled
    per_process = (counted > 0.0).any(axis=0) | gaussian.any(axis=0)
    if (whole & per_process).any():
        raise ExchangeError(
            f"region {region}, bin {int(np.argmax(whole & per_process))}: {total!r} acts on the "
            "whole bin and others on one sample (one or the other in a datacard)"
        )
    for include_signal in (True, False):
        used = [include_signal or not is_signal for is_signal in signal]
        weights = np.asarray(used, dtype=np.float64)[:, None] * np.asarray(start)[:, None]
        threshold = _find_threshold(weights, values, errors, whole, counted, gaussian)
        if threshold is not None:
            return ChannelStatistics(
                errors, threshold, include_signal, total, poisson, gauss, shapes
            )
    raise ExchangeError(
        f"region {region}: no threshold of autoMCStats separates bins with one parameter from "
        "those with one for each sample"
    )


def _choose_total(groups: Mapping[tuple[str, str], Mapping[int, Array]]) -> str | None:
    """Give the ``staterror`` of most samples, which ``autoMCStats`` is to hold."""
    sizes = {name: len(rows) for (kind, name), rows in groups.items() if kind == "staterror"}
    if not sizes:
        return None
    largest = max(sizes, key=lambda name: sizes[name])
    return largest if sizes[largest] > 1 or len(groups) == 1 else None


def _count(region: str, name: str, values: Array, errors: Array) -> Array:
    """Effective events of each bin of a ``shapesys``; zero where it has none."""
    filled = errors > 0.0
    effective = np.zeros_like(values)
    effective[filled] = (values[filled] / errors[filled]) ** 2
    rounded = np.round(effective)
    off = filled & ((np.abs(effective - rounded) > WHOLE_NUMBER * rounded) | (values <= 0.0))
    if off.any():
        bad = int(np.argmax(off))
        raise ExchangeError(
            f"region {region}: shapesys {name!r} counts {effective[bad]:.4g} effective events in "
            f"bin {bad}; Combine takes whole numbers only"
        )
    return rounded


def _find_threshold(
    weights: Array, values: Array, errors: Array, whole: Mask, counted: Array, gaussian: Mask
) -> int | None:
    squares = np.square(weights * errors).sum(axis=0)
    sums = (weights * values).sum(axis=0)
    filled = squares > 0.0
    effective = np.zeros_like(sums)
    effective[filled] = np.floor(0.5 + sums[filled] ** 2 / squares[filled])
    split = (counted > 0.0).any(axis=0) | gaussian.any(axis=0)
    if (split | whole)[~filled].any():
        return None
    threshold = int(max([0.0, *effective[split], *counted[counted > 0.0]]))
    if (effective[whole] <= threshold).any():
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.floor(0.5 + np.square(values) / np.square(errors))
    viable = (values >= WHOLE * errors) & (each > 0.0) & (each <= threshold)
    if (gaussian & (viable | (values <= 0.0))).any():
        return None
    return threshold
