"""A factor that is the ratio of two yields of data minus simulation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from taipan.errors import TaipanError


@dataclass(frozen=True)
class TransferFactor:
    """A measured ratio of two yields.

    Attributes
    ----------
    value, stat
        Factor and its statistical uncertainty.
    numerator, denominator
        Data minus simulation in the two regions: (yield, uncertainty).
    """

    value: float
    stat: float
    numerator: tuple[float, float]
    denominator: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form with the relative uncertainty."""
        return {**asdict(self), "relative_uncertainty": self.stat / self.value}


def measure_transfer_factor(
    numerator: tuple[float, float], denominator: tuple[float, float], names: tuple[str, str]
) -> TransferFactor:
    """Divide two yields of data minus simulation.

    Parameters
    ----------
    numerator, denominator
        Yield and its variance.
    names
        Their regions, for messages.

    Raises
    ------
    TaipanError
        If a yield is not positive; names the region.
    """
    for (value, _), name in zip((numerator, denominator), names, strict=True):
        if not value > 0.0:
            raise TaipanError(
                f"transfer factor: data minus simulation is {value:.4g} in region '{name}'; "
                "it must be positive"
            )
    value = numerator[0] / denominator[0]
    relative = np.sqrt(sum(variance / content**2 for content, variance in (numerator, denominator)))
    return TransferFactor(
        value,
        float(value * relative),
        (numerator[0], float(np.sqrt(numerator[1]))),
        (denominator[0], float(np.sqrt(denominator[1]))),
    )
