"""What a datacard and its ROOT file hold of a process."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass
class Part:
    """A process of a channel, as a card and its ROOT file hold it.

    Attributes
    ----------
    channel, process, signal
        Names, and whether the parameter of interest scales it.
    values, errors
        Nominal template and its statistical uncertainty.
    norms
        Parameter → factors at -1 and +1, for ``lnN``.
    shapes
        Parameter → templates at +1 and -1, for ``shape``.
    factors
        Free factors.
    """

    channel: str
    process: str
    signal: bool
    values: Array
    errors: Array
    norms: dict[str, tuple[float, float]] = field(default_factory=dict)
    shapes: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    factors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Factor:
    """A free factor: start, range, and the constraint if it has one."""

    start: float
    low: float
    high: float
    constraint: tuple[float, float] | None = None
