"""What the uncertainties of the factors of an estimate do to its templates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.estimates.base import FactorChange
from taipan.likelihood.subtracted import PartYields

Array = npt.NDArray[np.float64]
_UNCHANGED = FactorChange((1.0, 1.0), (1.0, 1.0), 0.0)


@dataclass(frozen=True)
class YieldChange:
    """What a parameter does to a sample of the model: one of two, or nothing.

    Attributes
    ----------
    name, size
        The parameter, and its largest relative change of a part.
    factors
        Factors of the yield at ±1σ, if all parts change alike.
    templates
        Templates at ±1σ otherwise.
    """

    name: str
    size: float
    factors: tuple[float, float] | None = None
    templates: tuple[Array, Array] | None = None


def list_factor_changes(parts: Sequence[PartYields], simulated: str) -> Iterator[YieldChange]:
    """Yield what each parameter of the factors does to the data of an estimate.

    Parameters
    ----------
    parts
        Parts of the estimate.
    simulated
        Sample that is subtracted, whose template is negative; empty for the data.
    """
    sign = -1.0 if simulated else 1.0
    yields = [part.simulated[simulated] if simulated else part.data for part in parts]
    for name in dict.fromkeys(name for part in parts for name in part.changes):
        changes = [part.changes.get(name, _UNCHANGED) for part in parts]
        factors = [item.simulated if simulated else item.data for item in changes]
        size = max(item.size for item in changes)
        if len(set(factors)) == 1:
            yield YieldChange(name, size, factors=factors[0])
            continue
        up, down = (
            sign * np.tensordot([pair[i] for pair in factors], np.stack(yields), axes=1)
            for i in (0, 1)
        )
        has_events = not np.array_equal(up, down)
        yield YieldChange(name, size, templates=(up, down) if has_events else None)


def join_rates(
    own: Sequence[dict[str, Any]], of_estimate: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Join the rates of a subtracted sample and those of the estimate that it is a part of.

    What scales the estimate scales all that it is made of. A parameter of both scales twice.

    Parameters
    ----------
    own, of_estimate
        Modifiers of type ``normsys``.
    """
    joined = {item["name"]: item for item in own}
    for item in of_estimate:
        data = dict(item["data"])
        if item["name"] in joined:
            before = joined[item["name"]]["data"]
            data = {key: before[key] * value for key, value in data.items()}
        joined[item["name"]] = {**item, "data": data}
    return list(joined.values())
