"""Parameters of single bins that ``autoMCStats`` cannot hold.

A Gaussian one becomes a ``shape`` that moves one bin. A counted or a free one becomes a factor of
a process that has this bin alone; what was counted is a channel of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.exchange.card_part import Factor, Part
from taipan.exchange.errors import ExchangeError

Array = npt.NDArray[np.float64]
SPLIT = ("shapesys", "shapefactor")
CONTROL = "control"


def shape_bins(
    parts: Sequence[Part], name: str, rows: Mapping[int, Array], call: Callable[[str], str]
) -> dict[str, tuple[str, float]]:
    """Add a ``shape`` to the processes of a ``staterror`` for each bin.

    Parameters
    ----------
    parts
        Processes of the channel; their shapes are added to.
    name
        Of the ``staterror``.
    rows
        Row of a process → its uncertainties.
    call
        From a name of the workspace to one of the card.

    Returns
    -------
    dict
        Parameter with its bin → name in the card, and its standard deviation.

    Raises
    ------
    ExchangeError
        If an uncertainty is more than the yield.
    """
    found: dict[str, tuple[str, float]] = {}
    total = sum(parts[row].values for row in rows)
    error = np.sqrt(sum(np.square(data) for data in rows.values()))
    for i in np.flatnonzero(error > 0.0):
        region = parts[next(iter(rows))].channel
        relative = float(error[i] / np.asarray(total)[i]) if np.asarray(total)[i] > 0.0 else np.inf
        if relative > 1.0:
            raise ExchangeError(
                f"region {region}, bin {i}: staterror {name!r} is {error[i]:.4g} of "
                f"{np.asarray(total)[i]:.4g} events; a shape cannot go below zero"
            )
        mine = call(f"{name}_bin{i}")
        for row in rows:
            up, down = parts[row].values.copy(), parts[row].values.copy()
            up[i] *= 1.0 + relative
            down[i] *= 1.0 - relative
            if min(up.sum(), down.sum()) <= 0.0:
                raise ExchangeError(
                    f"region {region}, bin {i}: staterror {name!r} can empty {parts[row].process}"
                )
            if parts[row].values[i] != 0.0:
                parts[row].shapes[mine] = (up, down)
        found[f"{name}[{i}]"] = (mine, relative)
    return found


def split_part(
    part: Part,
    sample: Mapping[str, Any],
    call: Callable[[str], str],
    settings: Mapping[str, Mapping[str, Any]],
) -> tuple[list[Part], dict[str, str], dict[str, Factor], dict[str, float]]:
    """Take bins with a ``shapesys`` or ``shapefactor`` out of a process, each into its own.

    Returns
    -------
    tuple
        What is left of the process, and the new ones; parameter with its bin → factor; the factors;
        and, of those that are counted, the count.
    """
    bins: dict[int, list[str]] = {}
    names: dict[str, str] = {}
    factors: dict[str, Factor] = {}
    counts: dict[str, float] = {}
    for modifier in sample["modifiers"]:
        kind, name = modifier["type"], modifier["name"]
        if kind not in SPLIT:
            continue
        errors = modifier["data"] if kind == "shapesys" else [1.0] * len(part.values)
        for i, (error, value) in enumerate(zip(errors, part.values, strict=True)):
            if kind == "shapesys" and not (error > 0.0 and value > 0.0):
                continue  # pyhf holds it
            mine = call(f"{name}_bin{i}")
            names[f"{name}[{i}]"] = mine
            bins.setdefault(i, []).append(mine)
            entry = settings.get(name, {})
            low, high = _at(
                entry.get("bounds"), i, [1e-10, 10.0] if kind == "shapesys" else [0.0, 10.0]
            )
            factors[mine] = Factor(float(_at(entry.get("inits"), i, 1.0)), float(low), float(high))
            if kind == "shapesys":
                counts[mine] = float((value / error) ** 2)
    rest = np.array([i not in bins for i in range(len(part.values))])
    made = []
    if part.values[rest].any():
        made.append(_cut(part, rest, part.process))
    for i, factors_of_bin in bins.items():
        if part.values[i] != 0.0:
            one = _cut(part, np.arange(len(part.values)) == i, f"{part.process}_bin{i}")
            made.append(replace(one, factors=[*one.factors, *factors_of_bin]))
    return made, names, factors, counts


def _at(values: Sequence[Any] | None, place: int, default: Any) -> Any:
    if not values:
        return default
    return values[place] if len(values) > 1 else values[0]


def _cut(part: Part, kept: npt.NDArray[np.bool_], process: str) -> Part:
    return replace(
        part,
        process=process,
        values=np.where(kept, part.values, 0.0),
        errors=np.where(kept, part.errors, 0.0),
        norms=dict(part.norms),
        shapes={
            name: (np.where(kept, up, 0.0), np.where(kept, down, 0.0))
            for name, (up, down) in part.shapes.items()
        },
        factors=list(part.factors),
    )


def control_part(factor: str, count: float) -> Part:
    """Make the process of the channel that counts what a factor scales."""
    return Part(factor, CONTROL, False, np.array([count]), np.zeros(1), factors=[factor])
