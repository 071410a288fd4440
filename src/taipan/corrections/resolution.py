"""Jet energy resolution: simulated jets are smeared, or scaled from the generated jet.

With resolution σ (relative) and the ratio s of the resolution in data to that in simulation, a jet
with a generated jet within 3σ is moved to (s − 1)(pT − pT_gen) further from it; any other jet has a
normal number of width σ·√(s² − 1) if s > 1 (the hybrid method of CMS). The number is made of the
identity of the event and the direction of the jet, so that it is the same in every run, order of
events and division into files, and under every other variation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from taipan.columns.identity import hash_objects
from taipan.columns.shifts import Columns
from taipan.config.base import Name
from taipan.corrections.base import InputNames, OpenedEnergy, Side
from taipan.corrections.energy import ObjectCorrection
from taipan.corrections.files import open_correction_file
from taipan.corrections.lookup import Evaluated, Lookup, bind
from taipan.corrections.sided import SidedLookup, bind_sides
from taipan.corrections.stored_view import StoredView
from taipan.errors import TaipanError
from taipan.suggestions import unknown

Array = NDArray[Any]
_MATCHED = (
    3.0  # standard deviations of the resolution within which a generated jet belongs to a jet
)
SMALLEST_ENERGY = 0.1
"""Smallest factor on the energy of a jet."""


class ResolutionCorrection(ObjectCorrection):
    """Resolution of data given to simulated jets."""

    kind: Literal["resolution"] = Field(
        description="The resolution of data for simulated jets: smeared with random numbers of the "
        "event's identity, or scaled from the generated jet."
    )
    resolution: str = Field(description="Correction of `file` with the relative resolution.")
    scale_factor: str = Field(
        description="Correction of `file` with the resolution of data over that of simulation."
    )
    generated: Name | None = Field(
        None,
        description="Field with the transverse momentum of the generated jet, 0 for none "
        "(`generated_jet_pt()`); without it every jet is smeared.",
    )

    def open(self, key: str, known: InputNames) -> OpenedEnergy:
        """Bind resolution and scale factor."""
        allowed = self.allowed(key, known)
        file = open_correction_file(f"{key}.file", self.file)
        if self.generated is not None and self.generated not in allowed:
            what = f"stored field of {self.objects} (Selection.objects, new= and keep=)"
            raise TaipanError(unknown(f"{key}.generated", self.generated, what, allowed))
        names = {"resolution": self.resolution, "scale_factor": self.scale_factor}
        needed = {
            k: {item.name for item in file.evaluators[name].inputs}
            for k, name in names.items()
            if name in file.evaluators
        }
        for name in self.inputs:
            if len(needed) == len(names) and not any(name in found for found in needed.values()):
                what = f"input of '{self.resolution}' or '{self.scale_factor}' in {file.path}"
                there = sorted(set().union(*needed.values()))
                raise TaipanError(unknown(f"{key}.inputs.{name}", name, what, there))

        def own(which: str) -> dict[str, str | float]:
            return {k: v for k, v in self.inputs.items() if k in needed.get(which, ())}

        resolution = bind(
            *(key, file, self.resolution, own("resolution"), allowed),
            out_of_range=self.out_of_range,
            name_key="resolution",
        )
        keys = self.model_copy(update={"inputs": own("scale_factor")})
        scale = bind_sides(keys, key, file, self.scale_factor, allowed, name_key="scale_factor")
        return _Opened(self.objects, resolution, scale, self.generated)


@dataclass(frozen=True)
class _Opened(OpenedEnergy):
    """Factor on the momentum of each stored jet."""

    collection: str
    resolution: Lookup
    scale: SidedLookup
    generated: str | None

    def change(self, columns: Columns, side: Side, *, is_data: bool) -> Evaluated:
        """Give the factor of each stored jet, shape (n, jets); 1 in data."""
        view = StoredView(columns, self.collection)
        none = np.zeros(view.number, dtype=bool)
        if is_data:
            ones = np.ones(view.number)
            return Evaluated(view.pad(ones, 1.0), view.pad(none, False), view.pad(none, False))
        width = self.resolution.evaluate(view, None)
        scale = self.scale.evaluate(view, side)
        missing = width.missing | scale.missing
        momenta = view.field("pt").astype(np.float64)
        broader = np.sqrt(np.maximum(scale.values**2 - 1.0, 0.0))
        factors = 1.0 + draw_normal(view) * width.values * broader
        if self.generated is not None:
            true = view.field(self.generated).astype(np.float64)
            apart = momenta - true
            near = (true > 0.0) & (np.abs(apart) < _MATCHED * width.values * momenta)
            factors = np.where(near, 1.0 + (scale.values - 1.0) * apart / momenta, factors)
        factors = np.where(missing, 1.0, np.maximum(factors, SMALLEST_ENERGY))
        outside = width.outside | scale.outside
        return Evaluated(view.pad(factors, 1.0), view.pad(outside, False), view.pad(missing, False))


def draw_normal(view: StoredView) -> Array:
    """Draw a normal number for each object: of its event's identity and its direction."""
    from scipy.special import ndtri

    state = hash_objects(view.field("event_hash"), view.field("eta"), view.field("phi"))
    uniform = ((state >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return np.asarray(ndtri(uniform))
