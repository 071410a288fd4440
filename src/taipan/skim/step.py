"""What the skim makes of a range of entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from taipan.analysis import SkimColumns
from taipan.skim.cutflow import Cutflow
from taipan.skim.identities import Identities


@dataclass(frozen=True)
class SkimStep:
    """Columns of the events that are kept, cutflow, identities, generator weights."""

    columns: SkimColumns
    flow: Cutflow
    identities: Identities
    start: int
    weights: NDArray[Any] | None = None
    chosen: NDArray[Any] | None = None
