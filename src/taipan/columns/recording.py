"""Which branches a selection uses: it is run once on no events, and what it asks for is noted.

So nobody keeps lists of branches. A branch that is reached only on some condition of the data is
not seen; a selection names such branches in ``reads``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from taipan.columns.behaviours import (
    BEHAVIOUR,
    GENERATED,
    MATCHED,
    MISSING,
    PARTICLE,
    MissingMomenta,
    Particles,
)
from taipan.columns.events import GENERATOR, INDEX
from taipan.columns.fields import SINGLE, Field, describe_field

Array = NDArray[Any]
_GROUP = "__group__"
_SEEN: ContextVar[dict[str, None]] = ContextVar("seen")
_EXTRA: ContextVar[dict[str, Field]] = ContextVar("extra")
_OWN = (INDEX, MATCHED)


@contextmanager
def recording(extra: dict[str, Field]) -> Iterator[dict[str, None]]:
    """Write down the branches that are asked for, in order; gives the record.

    Parameters
    ----------
    extra
        Fields that the analysis declares.
    """
    seen: dict[str, None] = {}
    tokens = _SEEN.set(seen), _EXTRA.set(extra)
    try:
        yield seen
    finally:
        _SEEN.reset(tokens[0])
        _EXTRA.reset(tokens[1])


def _see(name: str) -> np.dtype[Any]:
    _SEEN.get()[name] = None
    known = describe_field(name, _EXTRA.get())
    # a whole number does for masks, comparisons, indices and sums
    return np.dtype(known.dtype if known else "int32")


class _Recording:
    """Notes the fields that are asked for; what is not there is made up."""

    def __getitem__(self, where: Any) -> Any:
        group = self.layout.purelist_parameter(_GROUP)
        if not isinstance(where, str):
            return super().__getitem__(where)  # type: ignore[misc]
        fields = ak.fields(self)
        if group is None:  # a sum, or objects of several collections: see `reads`
            made_up = where not in fields and INDEX in fields
            found = super().__getitem__("pt" if made_up else where)  # type: ignore[misc]
            return ak.values_astype(found, "int32") if made_up else found
        if where == MATCHED:
            _see(f"{group}_genPartIdx")
        elif where not in _OWN and (where not in fields or where in _MOMENTUM):
            kind = _see(f"{group}_{where}")
            if where not in fields:
                return ak.values_astype(super().__getitem__("pt"), kind)  # type: ignore[misc]
        return super().__getitem__(where)  # type: ignore[misc]

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)  # type: ignore[misc]
        except AttributeError:
            if name.startswith("_") or INDEX not in ak.fields(self):
                raise
            return self[name]


_MOMENTUM = ("pt", "eta", "phi", "mass")


class _RecordingParticles(_Recording, Particles):
    pass


class _RecordingMissing(_Recording, MissingMomenta):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]  # a branch that is neither `pt` nor `phi`


_BEHAVIOUR = {
    **BEHAVIOUR,
    ("*", PARTICLE): _RecordingParticles,
    ("*", MISSING): _RecordingMissing,
}


class _Branches:
    """A group of branches with one value an event."""

    def __init__(self, group: str) -> None:
        self._group = group

    def __getattr__(self, name: str) -> Array:
        return np.zeros(0, _see(f"{self._group}_{name}"))

    __getitem__ = __getattr__


class RecordingSource:
    """No events, with every branch that anyone asks for."""

    def __len__(self) -> int:
        """Return the number of events."""
        return 0

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a column with one value an event."""
        return not name[0].isupper()

    def scalar(self, name: str) -> Array:
        """Return a branch with one value an event."""
        return np.zeros(0, _see(name))

    def group(self, name: str) -> Any:
        """Return a group of branches."""
        if name in SINGLE and "MET" not in name:
            return _Branches(name)
        if name in SINGLE:
            return _empty(("pt", "phi"), name, MISSING)
        objects = ak.unflatten(_empty((*_MOMENTUM, *_OWN), name, PARTICLE), np.zeros(0, np.int64))
        if name == GENERATOR:
            return objects
        attrs = {GENERATED: ak.flatten(self.group(GENERATOR))}
        return ak.Array(objects.layout, behavior=_BEHAVIOUR, attrs=attrs)

    def of_events(self, mask: Array) -> RecordingSource:
        """Return the events for which `mask` is true."""
        return self


class Known:
    """Quantities computed before, of no events; notes those that are asked for."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self.seen: dict[str, None] = {}

    def __getattr__(self, name: str) -> Array:
        if name not in self._names:
            raise AttributeError(f"no quantity '{name}' before this function ({self._names})")
        self.seen[name] = None
        return np.zeros(0)


def _empty(fields: tuple[str, ...], group: str, name: str) -> Any:
    contents = [
        ak.contents.NumpyArray(np.zeros(0, np.int64 if field in _OWN else np.float64))
        for field in fields
    ]
    parameters = {"__record__": name, _GROUP: group}
    layout = ak.contents.RecordArray(contents, list(fields), length=0, parameters=parameters)
    return ak.Array(layout, behavior=_BEHAVIOUR)
