"""Events as a selection sees them: ``events.Muon.pt``, ``events.MET.phi``, ``events.run``.

A group of branches becomes a record when it is asked for: objects a list an event, with the
four-momenta and distances of :mod:`taipan.columns.behaviours`; missing momentum one an event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Protocol

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from taipan.columns.behaviours import BEHAVIOUR, GENERATED, MATCHED, MISSING, OBJECT, PARTICLE
from taipan.columns.event_block import EventBlock

Array = NDArray[Any]
INDEX = "_index"
"""Field of an object: its position among all that were read."""
GENERATOR = "GenPart"


class Source(Protocol):
    """Where columns come from."""

    def __len__(self) -> int:
        """Return the number of events."""

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a column with one value an event."""

    def scalar(self, name: str) -> Any:
        """Return a column with one value an event."""

    def group(self, name: str) -> Any:
        """Return a record of all that begins with ``name_``."""

    def of_events(self, mask: Array) -> Source:
        """Return the events for which `mask`, shape (n,), is true."""


class Events:
    """Events, each group of branches an attribute.

    Parameters
    ----------
    source
        Columns.
    is_data, dataset
        Whether they are collision data, and of which dataset (None where it does not matter).
    objects
        Collection → function of the events that selects its objects; there
        ``events.<collection>`` is what was read, elsewhere it is what the function returns.
    """

    def __init__(
        self,
        source: Source,
        *,
        is_data: bool = False,
        dataset: str | None = None,
        objects: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> None:
        self._source = source
        self._objects = dict(objects or {})
        self._made: dict[str, Any] = {}
        self.is_data = is_data
        self.dataset = dataset

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self._source)

    def __getattr__(self, name: str) -> Any:
        """Return a group of branches, or a branch with one value an event."""
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._made:
            if name in self._objects:
                self._made[name] = self._objects[name](self._raw(name))
            elif name[0].isupper() and name not in self._source:
                self._made[name] = self._source.group(name)
            else:
                self._made[name] = self._source.scalar(name)
        return self._made[name]

    def __getitem__(self, what: Any) -> Any:
        """Return a group or branch by its name, or the events for which a mask is true."""
        if isinstance(what, str):
            return self._source.scalar(what) if "_" in what else getattr(self, what)
        mask = np.asarray(what)
        some = Events(
            self._source.of_events(mask),
            is_data=self.is_data,
            dataset=self.dataset,
            objects=self._objects,
        )
        some._made = {name: made[mask] for name, made in self._made.items()}
        return some

    def _raw(self, name: str) -> Events:
        others = {key: function for key, function in self._objects.items() if key != name}
        return Events(self._source, is_data=self.is_data, dataset=self.dataset, objects=others)


def jagged(fields: Mapping[str, Array], counts: Array, attrs: Any = None) -> Any:
    """Make objects, a list an event, of flat arrays."""
    name = PARTICLE if {"pt", "eta", "phi", "mass"} <= set(fields) else OBJECT
    offsets = np.concatenate([[0], np.cumsum(counts)])
    contents = [ak.contents.NumpyArray(values) for values in fields.values()]
    record = ak.contents.RecordArray(
        contents, list(fields), length=int(offsets[-1]), parameters={"__record__": name}
    )
    layout = ak.contents.ListOffsetArray(ak.index.Index64(offsets), record)
    return ak.Array(layout, behavior=BEHAVIOUR, attrs=attrs)


def single(fields: Mapping[str, Array]) -> Any:
    """Make one record an event; `pt` and `phi` make it missing momentum."""
    name = MISSING if {"pt", "phi"} <= set(fields) else None
    contents = [ak.contents.NumpyArray(values) for values in fields.values()]
    parameters = {"__record__": name} if name else None
    layout = ak.contents.RecordArray(contents, list(fields), parameters=parameters)
    return ak.Array(layout, behavior=BEHAVIOUR)


class BlockSource:
    """Events read from a file, in the skim.

    Parameters
    ----------
    block
        What was read.
    used
        Columns that the selection looks at; what is only stored is no part of a record.
    loosening
        Collection → factor by which its `pt` and `mass` look larger than they are.
    """

    def __init__(
        self, block: EventBlock, used: Sequence[str], loosening: Mapping[str, float]
    ) -> None:
        self.block = block
        self._used = used
        self._loosening = loosening

    def __len__(self) -> int:
        """Return the number of events."""
        return self.block.number

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a column with one value an event."""
        return name in self.block

    def scalar(self, name: str) -> Array:
        """Return a branch with one value an event."""
        return self.block[name]

    def group(self, name: str) -> Any:
        """Return a group of branches."""
        names = [column.partition("_")[2] for column in self._used if column.startswith(f"{name}_")]
        if not self.block.has_objects(name):
            return single({key: self.block[f"{name}_{key}"] for key in names})
        objects = self.block.objects(name)
        fields = {key: objects[key] for key in names if key in objects}
        factor = self._loosening.get(name, 1.0)
        if factor != 1.0:
            fields |= {key: fields[key] * factor for key in ("pt", "mass") if key in fields}
        attrs = None
        if "genPartIdx" in fields:
            particles = self.block.objects(GENERATOR)
            index = fields["genPartIdx"]
            first = particles.starts[objects.event]
            valid = (index >= 0) & (index < particles.counts[objects.event])
            fields[MATCHED] = np.where(valid, first + index, -1)
            attrs = {GENERATED: ak.flatten(self.group(GENERATOR))}
        fields[INDEX] = objects.index
        return jagged(fields, objects.counts, attrs)

    def of_events(self, mask: Array) -> BlockSource:
        """Return the events for which `mask` is true."""
        return BlockSource(self.block.where(mask), self._used, self._loosening)


class PaddedSource:
    """Stored events, objects padded with NaN.

    Parameters
    ----------
    columns
        Column → array of shape (n,) or (n, m).
    types
        Column → NumPy type of a stored column; floating-point numbers are handed out as float64,
        because m² = E² - p² loses half the digits of a light pair at high momentum.
    used
        Columns that are looked at.
    """

    def __init__(
        self, columns: Mapping[str, Array], types: Mapping[str, str], used: Sequence[str]
    ) -> None:
        self._columns = columns
        self._types = types
        self._used = used
        self._chosen: dict[str, tuple[Array | None, Array]] = {}

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self._columns[self._used[0]])

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a column with one value an event."""
        return name in self._types and "_" not in name

    def scalar(self, name: str) -> Array:
        """Return a column with one value an event."""
        return self._typed(name, self._columns[name])

    def group(self, name: str) -> Any:
        """Return a group of columns."""
        names = [column for column in self._used if column.startswith(f"{name}_")]
        first = self._columns[names[0]]
        fields = {}
        if first.ndim == 1:
            return single({column.partition("_")[2]: self.scalar(column) for column in names})
        for column in names:
            fields[column.partition("_")[2]] = self._typed(column, self._flat(name, column))
        return jagged(fields, self._chosen[name][1])

    def of_events(self, mask: Array) -> PaddedSource:
        """Return the events for which `mask` is true."""
        columns = {name: self._columns[name][mask] for name in self._used}
        return PaddedSource(columns, self._types, self._used)

    def _flat(self, group: str, column: str) -> Array:
        """Values of the objects that are there, one event's after the other's."""
        values = self._columns[column]
        if group not in self._chosen:
            present = ~np.isnan(values)
            counts = present.sum(axis=1)
            self._chosen[group] = (None if present.all() else np.flatnonzero(present), counts)
        index = self._chosen[group][0]
        flat = values.ravel()
        return flat if index is None else flat[index]

    def _typed(self, column: str, values: Array) -> Array:
        kind = np.dtype(self._types[column])
        return values.astype(np.float64 if kind.kind == "f" else kind, copy=False)


class FlatSource:
    """A flat ntuple: every branch one value an event."""

    def __init__(self, columns: Mapping[str, Array]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        """Return the number of events."""
        return len(next(iter(self._columns.values())))

    def __contains__(self, name: str) -> bool:
        """Tell whether there is such a branch."""
        return name in self._columns

    def scalar(self, name: str) -> Any:
        """Return a branch."""
        return self._columns[name]

    def group(self, name: str) -> Any:
        """Return all branches that begin with ``name_``."""
        names = [column for column in self._columns if column.startswith(f"{name}_")]
        return SimpleNamespace(**{key.partition("_")[2]: self._columns[key] for key in names})

    def of_events(self, mask: Array) -> FlatSource:
        """Return the events for which `mask` is true."""
        return FlatSource({name: values[mask] for name, values in self._columns.items()})
