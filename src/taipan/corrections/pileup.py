"""Pile-up weights: the profile of the true number of interactions in data over that simulated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import uproot
from numpy.typing import NDArray
from pydantic import Field

from taipan.config.base import Fraction, Name, Place
from taipan.corrections.base import InputNames, NominalCorrection, OpenedWeight, Side
from taipan.corrections.lookup import Evaluated
from taipan.corrections.view import EventView
from taipan.errors import TaipanError
from taipan.limits import refuse_size
from taipan.suggestions import unknown

if TYPE_CHECKING:
    from taipan.config.model import Config

Array = NDArray[Any]
_UNCOVERED = 0.01
"""Share of the data in bins that the simulation leaves empty, above which weights mean nothing."""
_PROFILE = 'a ROOT histogram as FILE.root:NAME, or JSON with "edges" and "counts"'


class PileupWeight(NominalCorrection):
    """Weights that give the simulation the pile-up profile of data."""

    kind: Literal["pileup"] = Field(
        description="The profile of the number of interactions in data over that of simulation."
    )
    quantity: Name = Field(
        description="Quantity with the true mean number of interactions of an event."
    )
    data_profile: Place = Field(description=f"Profile of data: {_PROFILE}.")
    simulation_profile: Place = Field(description="Profile of the simulation, in its bins.")
    cross_section: Fraction | None = Field(
        None,
        description="Relative uncertainty of the minimum-bias cross section: at ±1σ the profile of "
        "data is stretched by 1 ± so much. No uncertainty without it.",
    )

    @property
    def sides(self) -> tuple[str, ...]:
        """Both, if the uncertainty of the cross section is given."""
        return () if self.cross_section is None else ("up", "down")

    @property
    def files(self) -> Mapping[str, str]:
        """Both profiles."""
        return {"data_profile": self.data_profile, "simulation_profile": self.simulation_profile}

    def without_uncertainty(self) -> PileupWeight:
        """Leave the uncertainty of the cross section out."""
        return self.model_copy(update={"cross_section": None})

    def check(self, key: str, config: Config) -> Iterator[str]:
        """Refuse to correct the pile-up twice."""
        if config.pileup.enabled:
            yield (
                f"pileup.enabled: true weighs the simulation by its vertices, which {key} does by "
                "its interactions already (false)"
            )

    def open(self, key: str, known: InputNames) -> OpenedWeight:
        """Read the profiles and divide them."""
        if self.quantity not in known.quantities:
            raise TaipanError(
                unknown(f"{key}.quantity", self.quantity, "quantity", known.quantities)
            )
        data = read_profile(f"{key}.data_profile", self.data_profile)
        simulation = read_profile(f"{key}.simulation_profile", self.simulation_profile)
        size = self.cross_section or 0.0
        stretched: dict[Side, float] = {"apply": 1.0, "up": 1.0 + size, "down": 1.0 - size}
        ratios = {
            side: divide_profiles(f"{key}.simulation_profile", data, simulation, factor)
            for side, factor in stretched.items()
        }
        uses = frozenset({self.quantity})
        return _Opened(key, uses, self.quantity, simulation.edges, ratios, self.out_of_range)


@dataclass(frozen=True)
class PileupProfile:
    """Events by the number of interactions.

    Attributes
    ----------
    edges
        Bin edges, shape (n + 1,).
    counts
        Content, shape (n,).
    """

    edges: Array
    counts: Array


def read_profile(key: str, path: str) -> PileupProfile:
    """Read a profile.

    Raises
    ------
    TaipanError
        If there is none, or it is no profile; names key and file.
    """
    name, _, histogram = path.partition(".root:")
    file = Path(f"{name}.root" if histogram else path)
    if not file.is_file():
        raise TaipanError(f"{key}: '{file}' is not a file (seen from {Path.cwd()})")
    try:
        if histogram:
            with uproot.open(file) as content:
                counts, edges = content[histogram].to_numpy()
        else:
            refuse_size(file, "JSON", file.stat().st_size)
            plain = json.loads(file.read_text(encoding="utf-8"))
            edges, counts = (np.asarray(plain[k], dtype=np.float64) for k in ("edges", "counts"))
    except TaipanError:
        raise
    except Exception as error:  # uproot raises many types on files that are no histograms
        raise TaipanError(f"{key}: {path}: not a profile ({_PROFILE})") from error
    if edges.ndim != 1 or counts.shape != (len(edges) - 1,) or not len(counts):
        raise TaipanError(
            f"{key}: {path}: {counts.size} counts for {edges.size} edges (one fewer than edges)"
        )
    if not (np.all(np.diff(edges) > 0.0) and np.all(counts >= 0.0) and counts.sum() > 0.0):
        raise TaipanError(
            f"{key}: {path}: not a profile (increasing edges, counts ≥ 0, one of them above 0)"
        )
    return PileupProfile(np.asarray(edges, np.float64), np.asarray(counts, np.float64))


def divide_profiles(
    key: str, data: PileupProfile, simulation: PileupProfile, stretch: float
) -> Array:
    """Divide data by simulation, both normalised, with the profile of data stretched.

    The mean number of interactions is proportional to the cross section. Within a bin the profile
    of data is flat.

    Returns
    -------
    Array
        Weight in each bin of the simulation; NaN where that is empty and data are not.

    Raises
    ------
    TaipanError
        If more than 1 % of the data are where there is no simulation.
    """
    cumulative = np.concatenate([[0.0], np.cumsum(data.counts)]) / data.counts.sum()
    at_edges = np.interp(simulation.edges, stretch * data.edges, cumulative)
    shares = np.diff(at_edges)
    expected = simulation.counts / simulation.counts.sum()
    uncovered = 1.0 - float(shares[expected > 0.0].sum())
    if uncovered > _UNCOVERED:
        raise TaipanError(
            f"{key}: {100.0 * uncovered:.2g} % of the data (stretched by {stretch:g}) have numbers "
            "of interactions that are not simulated (1 % at most)"
        )
    ratio = np.divide(shares, expected, out=np.full(len(shares), np.nan), where=expected > 0.0)
    return np.where((expected <= 0.0) & (shares <= 0.0), 0.0, ratio)


@dataclass(frozen=True)
class _Opened(OpenedWeight):
    """Weights in bins of the number of interactions."""

    key: str
    uses: frozenset[str]
    quantity: str
    edges: Array
    ratios: Mapping[Side, Array]
    out_of_range: str
    objects: str | None = None

    def evaluate(self, view: EventView, side: Side) -> Evaluated:
        """Give the factor of each event that passes."""
        values = view.quantity(self.quantity)
        missing = ~np.isfinite(values)
        outside = ~missing & ((values < self.edges[0]) | (values >= self.edges[-1]))
        if outside.any() and self.out_of_range == "error":
            raise TaipanError(
                f"{self.key}: {np.count_nonzero(outside)} of {len(values)} values lie outside the "
                f"bins of the profile ({self.quantity} = {values[outside][0]:g}, bins from "
                f"{self.edges[0]:g} to {self.edges[-1]:g}; `out_of_range: clamp` takes the nearest "
                "bin, `flow` a weight of 1; both are counted)"
            )
        ratio = self.ratios[side]
        places = np.clip(np.searchsorted(self.edges, values, "right") - 1, 0, len(ratio) - 1)
        factors = np.where(missing, 1.0, ratio[places])
        if self.out_of_range == "flow":
            factors = np.where(outside, 1.0, factors)
        if not np.isfinite(factors).all():
            wrong = values[~np.isfinite(factors)][0]
            raise TaipanError(
                f"{self.key}.simulation_profile: the profile has nothing at {self.quantity} = "
                f"{wrong:g}, where there is an event (another profile, or coarser bins)"
            )
        return Evaluated(factors, outside, missing)
