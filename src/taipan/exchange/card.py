"""What a datacard of CMS Combine says, line by line, before any histogram is opened.

The language is that of Combine (arXiv:2404.06614 and its manual, "Preparing the datacard").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Place = tuple[str, str]
"""Channel and process."""


@dataclass(frozen=True)
class Column:
    """A process in a channel: one column of the card.

    Attributes
    ----------
    channel, process
        Names.
    signal
        Whether the parameter of interest scales it (process number ≤ 0).
    rate
        Expected events; -1 if the integral of the histogram says it.
    """

    channel: str
    process: str
    signal: bool
    rate: float


@dataclass(frozen=True)
class ShapeRule:
    """A line ``shapes``: where the histograms of a process and channel are.

    Attributes
    ----------
    line
        Its number.
    process, channel
        A name, or ``*``.
    file
        ROOT file, relative to the card; ``None`` after ``FAKE``.
    nominal, varied
        Patterns of names; `varied` is ``None`` if the line has none.
    """

    line: int
    process: str
    channel: str
    file: str | None
    nominal: str
    varied: str | None


@dataclass(frozen=True)
class Nuisance:
    """A line of a systematic uncertainty.

    Attributes
    ----------
    line
        Its number.
    name
        Of the parameter.
    kind
        ``lnN``, ``shape``, ``shape?`` or ``gmN``.
    count
        Events of the control sample of ``gmN``.
    effects
        Place → what stands in its column: factors at -1 and +1 of ``lnN``, twice the scale of
        ``shape``, twice the ratio of ``gmN``.
    histograms
        Place → name of the systematic in histograms, where it differs after a rename.
    """

    line: int
    name: str
    kind: str
    count: int
    effects: Mapping[Place, tuple[float, float]]
    histograms: Mapping[Place, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RateParameter:
    """A free factor of processes.

    Attributes
    ----------
    line
        Its number.
    name
        Of the parameter; empty for a number alone, which `constant` holds.
    places
        What it scales.
    start, low, high
        Starting value and range; the range is ``None`` if the card has none.
    factors
        Other parameters that are multiplied instead, for a formula that is a product.
    constant
        Number in such a formula.
    """

    line: int
    name: str
    places: tuple[Place, ...]
    start: float = 1.0
    low: float | None = None
    high: float | None = None
    factors: tuple[str, ...] = ()
    constant: float = 1.0


@dataclass(frozen=True)
class BinStatistics:
    """A line ``autoMCStats``.

    Attributes
    ----------
    line
        Its number.
    channel
        Name.
    threshold
        Effective events up to which each process gets its own parameter.
    include_signal
        Whether signals count for this decision.
    """

    line: int
    channel: str
    threshold: float
    include_signal: bool


@dataclass(frozen=True)
class Card:
    """A datacard.

    Attributes
    ----------
    path
        Of the file.
    channels
        Names, in the order of the card.
    observed
        Channel → observed events; -1 if the histogram says it.
    columns
        Processes of channels.
    shapes
        Where histograms are.
    nuisances, rates, statistics
        Uncertainties.
    constrained
        Free factor → mean and standard deviation of its Gaussian constraint (``param``).
    groups
        Group → parameters.
    frozen
        Parameters held constant.
    notes
        What was read and has no counterpart.
    """

    path: Path
    channels: tuple[str, ...]
    observed: Mapping[str, float]
    columns: tuple[Column, ...]
    shapes: tuple[ShapeRule, ...]
    nuisances: tuple[Nuisance, ...]
    rates: tuple[RateParameter, ...]
    statistics: tuple[BinStatistics, ...]
    constrained: Mapping[str, tuple[float, float]]
    groups: Mapping[str, tuple[str, ...]]
    frozen: tuple[str, ...]
    notes: tuple[str, ...]
