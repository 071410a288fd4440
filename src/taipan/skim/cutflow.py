"""Cutflow: events, Σw and Σw² after each cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from taipan.errors import TaipanError


@dataclass(frozen=True)
class Cut:
    """Counts after one cut and all before it.

    Attributes
    ----------
    name
        Name of the cut; the first is ``all``, the events read.
    events
        Number of events.
    sumw, sumw2
        Sum of generator weights and of their squares.
    """

    name: str
    events: int
    sumw: float
    sumw2: float


@dataclass(frozen=True)
class Cutflow:
    """Cuts of one dataset, or of a part of it."""

    dataset: str
    cuts: tuple[Cut, ...]

    def cut(self, name: str) -> Cut:
        """Return the cut of that name (KeyError if there is none)."""
        for cut in self.cuts:
            if cut.name == name:
                return cut
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return {"dataset": self.dataset, "cuts": [asdict(cut) for cut in self.cuts]}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Cutflow:
        """Rebuild from :meth:`to_dict`."""
        return cls(content["dataset"], tuple(Cut(**cut) for cut in content["cuts"]))


def count(name: str, weights: NDArray[Any]) -> Cut:
    """Count the events whose generator weights are given."""
    values = np.asarray(weights, dtype=np.float64)
    return Cut(name, len(values), float(values.sum()), float((values**2).sum()))


def merge_cutflows(parts: Iterable[Cutflow]) -> Cutflow:
    """Add the cutflows of disjoint parts of one dataset.

    Raises
    ------
    TaipanError
        If there is none, or they differ in dataset or cuts.
    """
    flows: Sequence[Cutflow] = list(parts)
    if not flows:
        raise TaipanError("no cutflow to merge")
    first = flows[0]
    names = [cut.name for cut in first.cuts]
    for other in flows[1:]:
        if other.dataset != first.dataset or [cut.name for cut in other.cuts] != names:
            raise TaipanError(
                f"cutflows of '{first.dataset}' and '{other.dataset}' cannot be added: "
                f"their cuts are {names} and {[cut.name for cut in other.cuts]}"
            )
    merged = []
    for index, name in enumerate(names):
        column = [flow.cuts[index] for flow in flows]
        merged.append(
            Cut(
                name,
                sum(cut.events for cut in column),
                float(np.sum([cut.sumw for cut in column])),
                float(np.sum([cut.sumw2 for cut in column])),
            )
        )
    return Cutflow(first.dataset, tuple(merged))


def list_cuts(flows: Mapping[str, Cutflow]) -> str:
    """List the cuts of all datasets as comma-separated values.

    Returns
    -------
    str
        Columns ``dataset``, ``cut``, ``events``, ``sumw``, ``sumw2`` and the efficiencies in Σw
        since the cut before (``efficiency``) and since the first (``total_efficiency``).
    """
    lines = ["dataset,cut,events,sumw,sumw2,efficiency,total_efficiency"]
    for name, flow in flows.items():
        for cut, (step, total) in zip(flow.cuts, efficiencies(flow), strict=True):
            lines.append(
                f"{name},{cut.name},{cut.events},{cut.sumw:.10g},{cut.sumw2:.10g},"
                f"{step:.6g},{total:.6g}"
            )
    return "\n".join(lines) + "\n"


def efficiencies(flow: Cutflow) -> list[tuple[float, float]]:
    """Efficiency in Σw of each cut, since the cut before and since the first; NaN for 0/0."""
    sums = np.array([cut.sumw for cut in flow.cuts])
    before = np.concatenate([sums[:1], sums[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        return list(zip((sums / before).tolist(), (sums / sums[0]).tolist(), strict=True))


def format_cutflow(flow: Cutflow) -> str:
    """Lay the cuts of a dataset out as a table for people."""
    rows = [["cut", "events", "Σw", "Σw²", "efficiency", "total"]]
    for cut, shares in zip(flow.cuts, efficiencies(flow), strict=True):
        percents = ("–" if np.isnan(share) else f"{100 * share:.3g} %" for share in shares)
        rows.append([cut.name, f"{cut.events:,}", f"{cut.sumw:.8g}", f"{cut.sumw2:.8g}", *percents])
    aligned = ("left", *["right"] * (len(rows[0]) - 1))
    return tabulate(rows, tablefmt="plain", colalign=aligned, disable_numparse=True)
