"""Trigger efficiency of data over that of simulation, where any of several objects may fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from taipan.config.base import Name
from taipan.corrections.base import FromFile, InputNames, OpenedWeight, Side
from taipan.corrections.files import open_correction_file
from taipan.corrections.lookup import Evaluated, names_of
from taipan.corrections.sided import SidedLookup, bind_sides
from taipan.corrections.view import EventView, ObjectView
from taipan.errors import TaipanError

Array = NDArray[Any]


class TriggerWeight(FromFile):
    """Probability that one object at least fires, in data over simulation."""

    kind: Literal["trigger"] = Field(
        description="The trigger's efficiency in data over that in simulation, of events with "
        "several objects of which one suffices."
    )
    objects: Name = Field(description="Collection of the objects that may fire.")
    where: str | None = Field(None, description="Condition on these objects, such as `pt > 25`.")
    data: str = Field(description="Correction of `file` with the efficiency of an object in data.")
    simulation: str = Field(description="The same in simulation.")

    def open(self, key: str, known: InputNames) -> OpenedWeight:
        """Bind both efficiencies."""
        allowed = known.fields(f"{key}.objects", self.objects)
        names = names_of(f"{key}.where", self.where, allowed)
        file = open_correction_file(f"{key}.file", self.file)
        data = bind_sides(self, key, file, self.data, allowed, name_key="data")
        plain = self.model_copy(update={"up": None, "down": None})
        simulation = bind_sides(plain, key, file, self.simulation, allowed, name_key="simulation")
        uses = data.uses | simulation.uses | names
        return _Opened(key, data, simulation, self.objects, self.where, uses)


@dataclass(frozen=True)
class _Opened(OpenedWeight):
    """1 − Π(1 − ε) of data over that of simulation."""

    key: str
    data: SidedLookup
    simulation: SidedLookup
    objects: str
    where: str | None
    uses: frozenset[str]

    def evaluate(self, view: EventView, side: Side) -> Evaluated:
        """Give the factor of each event that passes; 1 without an object that may fire."""
        chosen = view.objects(self.objects, self.where)
        data = self.data.evaluate(chosen, side)
        simulation = self.simulation.evaluate(chosen, "apply")
        above, below = (self._fires(chosen, item) for item in (data, simulation))
        some = chosen.any(np.ones(chosen.number, dtype=bool))
        if np.any(some & (below <= 0.0)):
            raise TaipanError(
                f"{self.key}.simulation: the efficiency of all objects of "
                f"{np.count_nonzero(some & (below <= 0.0))} events is 0, so that no event like "
                "them can be simulated (mend the file, or say with `where` which objects may fire)"
            )
        values = np.divide(above, below, out=np.ones(view.number), where=some)
        outside = chosen.any(data.outside | simulation.outside)
        return Evaluated(values, outside, chosen.any(data.missing | simulation.missing))

    def _fires(self, chosen: ObjectView, found: Evaluated) -> Array:
        """Probability that one object at least of an event fires, shape (events,)."""
        values = np.where(found.missing, 0.0, found.values)
        if np.any((values < 0.0) | (values > 1.0)):
            wrong = values[(values < 0.0) | (values > 1.0)][0]
            raise TaipanError(f"{self.key}: an efficiency of {wrong:g} (0 to 1 is allowed)")
        return 1.0 - chosen.multiply(1.0 - values)
