"""Several quantities that one function computes of others, such as a mass and its uncertainty."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Quantity
from taipan.errors import TaipanError
from taipan.labels import is_score
from taipan.suggestions import unknown

Array = NDArray[Any]


class QuantityGroup(ABC):
    """What an entry of ``quantities`` is that makes several quantities."""

    @abstractmethod
    def inputs(self) -> dict[str, str]:
        """Give key of the entry → quantity that it uses."""

    @abstractmethod
    def may_lack(self, key: str) -> bool:
        """Tell whether the quantities are known without this input, as without a second jet."""

    @abstractmethod
    def describe(self, name: str) -> dict[str, tuple[str, str]]:
        """Give quantity → unit and meaning, for an entry of this name."""

    @abstractmethod
    def compute(self, name: str, values: Mapping[str, Array], *, tell: bool) -> dict[str, Array]:
        """Compute the quantities.

        Parameters
        ----------
        name
            Of the entry.
        values
            Quantity → values of n events.
        tell
            Whether the log says how many events have inputs that cannot be: not after each shift.
        """


def describe_group(
    name: str, group: QuantityGroup, known: Mapping[str, Quantity]
) -> dict[str, Quantity]:
    """Describe the quantities of an entry.

    Raises
    ------
    TaipanError
        If an input is not a quantity, or a name is taken.
    """
    inputs = group.inputs()
    for key, used in inputs.items():
        path = f"quantities.{name}.{key}"
        if is_score(used):
            raise TaipanError(f"{path}: '{used}' is a score (allowed: quantities of the selection)")
        if used not in known:
            raise TaipanError(unknown(path, used, "quantity", known))
    parts = [known[used] for used in dict.fromkeys(inputs.values())]
    missing = any(
        known[used].may_be_missing for key, used in inputs.items() if not group.may_lack(key)
    )
    described = group.describe(name)
    for made in described:
        if made in known:
            raise TaipanError(
                f"quantities.{name}: the analysis has a quantity '{made}' (choose another name)"
            )
    return {
        made: Quantity(
            *(made, unit, meaning),
            tuple(dict.fromkeys(column for part in parts for column in part.requires)),
            may_be_missing=missing,
            simulation_only=any(part.simulation_only for part in parts),
        )
        for made, (unit, meaning) in described.items()
    }


def compute_group(
    name: str, group: QuantityGroup, found: Mapping[str, Array], before: Mapping[str, Array]
) -> dict[str, Array]:
    """Compute the quantities of an entry for the events that pass; NaN for the others.

    Parameters
    ----------
    found
        Quantities, and ``passes``, of n events.
    before
        The same before a shift, or nothing: an event whose inputs are the same keeps its values.
    """
    passes = np.asarray(found["passes"], dtype=bool)
    used = tuple(dict.fromkeys(group.inputs().values()))
    wanted = passes.copy()
    made = {key: np.full(len(passes), np.nan) for key in group.describe(name)}
    if before:
        same = passes & np.asarray(before["passes"], dtype=bool)
        for key in used:
            now, then = found[key], before[key]
            same &= (now == then) | (np.isnan(now) & np.isnan(then))
        for key, values in made.items():
            values[same] = before[key][same]
        wanted &= ~same
    if wanted.any():
        values_of = {key: np.asarray(found[key], np.float64)[wanted] for key in used}
        for key, values in group.compute(name, values_of, tell=not before).items():
            made[key][wanted] = values
    return made
