"""Writing ROOT files whose bytes depend on their content only.

A ROOT file has an identifier, times of creation and its own name. Here the identifier is derived
from what the content is, the time is fixed and the name is left out, so that the same seed gives
the same bytes, wherever and whenever the file is made.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from taipan.fastsim.event_table import Collection, EventTable
from taipan.labels import TREE

# The year of the collisions; ROOT counts years from 1995.
_TIME = datetime.datetime(2012, 1, 1)
_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 4122: URLs


@contextmanager
def _fixed_time() -> Iterator[None]:
    """Let uproot write one fixed time instead of the present.

    uproot 5 has an option for the identifier (``uuid_function``) but none for the time, which
    passes through this one function for every key and directory it writes.
    """
    original = uproot._util.datetime_to_code
    code = original(_TIME)
    uproot._util.datetime_to_code = lambda _moment: code
    try:
        yield
    finally:
        uproot._util.datetime_to_code = original


def write_tree(path: Path, name: str, tables: Iterable[EventTable]) -> int:
    """Write tables one after the other into the tree ``Events`` of a new file.

    Parameters
    ----------
    path : pathlib.Path
        File to write.
    name : str
        What the content is; the identifier of the file is derived from it.
    tables : iterable of EventTable
        Each becomes one cluster, so that memory does not grow with the file.

    Returns
    -------
    int
        Number of events written.
    """
    identifier = uuid.uuid5(_NAMESPACE, name)
    events = 0
    tree: Any = None
    with (
        _fixed_time(),
        # An open file has no name that uproot could write.
        path.open("w+b") as sink,
        uproot.recreate(sink, compression=uproot.ZSTD(3), uuid_function=lambda: identifier) as file,
    ):
        for table in tables:
            content = _to_branches(table)
            if tree is None:
                types = {key: _branch_type(value) for key, value in content.items()}
                tree = file.mktree(TREE, types)
            tree.extend(content)
            events += len(table.scalars["event"])
    return events


def _to_branches(table: EventTable) -> dict[str, Any]:
    lists = {name: _to_lists(value) for name, value in table.collections.items()}
    return {**table.scalars, **lists}


def _to_lists(collection: Collection) -> ak.Array:
    offsets = np.concatenate([[0], np.cumsum(collection.counts)])
    contents = [ak.contents.NumpyArray(column) for column in collection.columns.values()]
    records = ak.contents.RecordArray(contents, list(collection.columns))
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets), records))


def _branch_type(values: Any) -> Any:
    return values.dtype if isinstance(values, np.ndarray) else ak.type(values).content
