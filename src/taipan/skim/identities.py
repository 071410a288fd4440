"""Which events a chunk holds: an identity for each event read, sorted, to find those seen twice.

A list is written beside the skimmed events. It has every event that was read, not only those kept:
an event that occurs twice counts twice in Σ genWeight, whether or not it is selected. The lists of
all chunks are compared in :mod:`taipan.skim.duplicates`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from taipan.atomic import replacing
from taipan.errors import TaipanError

RUN_EVENTS = 1_000_000
"""Events that are held in memory and sorted at a time."""
_GROUP_EVENTS = 65_536
_BOUNDS = b"taipan_identities"
_PROVENANCE = b"taipan"
_SCHEMA = pa.schema(
    [
        pa.field("identity", pa.uint64(), nullable=False),
        pa.field("weight", pa.float32(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
    ]
)

Array = NDArray[Any]


@dataclass(frozen=True)
class Identities:
    """Events by their identity.

    Attributes
    ----------
    identity
        Hash of what tells an event from all others, uint64, shape (n,).
    weight
        Generator weights, 1 where there are none, shape (n,).
    row
        Row of each event among those the skim keeps, -1 for one that it does not keep, shape (n,).
    """

    identity: Array
    weight: Array
    row: Array

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.identity)

    def take(self, index: Array | slice) -> Identities:
        """Return some of the events."""
        return Identities(self.identity[index], self.weight[index], self.row[index])


def join_identities(parts: list[Identities]) -> Identities:
    """Put lists one after the other."""
    none = Identities(np.zeros(0, np.uint64), np.zeros(0, np.float32), np.zeros(0, np.int32))
    return Identities(
        *(
            np.concatenate([getattr(part, name) for part in (none, *parts)])
            for name in ("identity", "weight", "row")
        )
    )


def number_rows(kept: Array) -> Array:
    """Give each event its row among those kept, -1 to the others, int32, shape (n,)."""
    rows = np.full(len(kept), -1, np.int32)
    rows[kept] = np.arange(np.count_nonzero(kept), dtype=np.int32)
    return rows


class IdentityWriter:
    """Writes the list of a chunk, a step at a time; it appears only when complete.

    Parameters
    ----------
    path
        Parquet file to write, or None to write none.
    provenance
        Stored in the file.
    run_events
        Events that are held in memory.
    """

    def __init__(
        self, path: Path | None, provenance: Mapping[str, Any], run_events: int = RUN_EVENTS
    ) -> None:
        self._replacing = None if path is None else replacing(path)
        self._schema = _SCHEMA.with_metadata(
            {_PROVENANCE: json.dumps(provenance, sort_keys=True).encode()}
        )
        self._run_events = run_events
        self._waiting: list[Identities] = []
        self._held = self._kept = 0
        self._bounds: list[tuple[int, int]] = []

    def __enter__(self) -> IdentityWriter:
        if self._replacing is not None:
            self._writer = pq.ParquetWriter(
                self._replacing.__enter__(),
                self._schema,
                compression={"identity": "NONE", "weight": "zstd", "row": "zstd"},
                use_dictionary=["weight", "row"],
                write_page_checksum=True,
            )
        return self

    def write(self, events: Identities) -> None:
        """Append the events of a step; `row` counts from the first that this step keeps."""
        if self._replacing is None:
            return
        kept = events.row >= 0
        row = np.where(kept, events.row + np.int32(self._kept), np.int32(-1))
        self._waiting.append(Identities(events.identity, events.weight, row))
        self._kept += int(np.count_nonzero(kept))
        self._held += len(events)
        if self._held >= self._run_events:
            self._flush()

    def _flush(self) -> None:
        run = join_identities(self._waiting)
        # stable: of two events with one identity the first in the file stays the first
        run = run.take(np.argsort(run.identity, kind="stable"))
        for low in range(0, len(run), _GROUP_EVENTS):
            group = run.take(slice(low, low + _GROUP_EVENTS))
            columns = [
                pa.array(group.identity.astype(np.uint64)),
                pa.array(group.weight.astype(np.float32)),
                pa.array(group.row),
            ]
            self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
            self._bounds.append((int(group.identity[0]), int(group.identity[-1])))
        self._waiting, self._held = [], 0

    def __exit__(self, *error: Any) -> None:
        if self._replacing is None:
            return
        if error[0] is None:
            self._flush()
        self._writer.add_key_value_metadata({_BOUNDS: json.dumps(self._bounds).encode()})
        self._writer.close()
        self._replacing.__exit__(*error)


def count_identities(path: Path | str) -> int:
    """Return the number of events of a list.

    Raises
    ------
    TaipanError
        If the file is missing or damaged; names it.
    """
    with _open(path) as file:
        return int(file.metadata.num_rows)


def read_identities(path: Path | str, low: int, high: int) -> Identities:
    """Read the events whose identity is `low` or more and below `high`.

    Parameters
    ----------
    path
        File of :class:`IdentityWriter`.
    low, high
        Range of identities, 0 to 2⁶⁴.

    Returns
    -------
    Identities
        In no order, but of two events with one identity the first in the file is the first here.

    Raises
    ------
    TaipanError
        If the file is missing or damaged; names it.
    """
    with _open(path) as file:
        try:
            bounds = json.loads(file.metadata.metadata[_BOUNDS])
            parts = []
            for group, (first, last) in enumerate(bounds):
                if first < high and last >= low:
                    table = file.read_row_group(group, columns=_SCHEMA.names)
                    parts.append(_cut(table, low, high))
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TaipanError(f"{path} is not a readable list of events: {reason}") from error
    return join_identities(parts)


def _open(path: Path | str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TaipanError(f"{path} is not a readable list of events: {reason}") from error


def _cut(table: pa.Table, low: int, high: int) -> Identities:
    columns = Identities(*(table[name].to_numpy() for name in _SCHEMA.names))
    start = np.searchsorted(columns.identity, np.uint64(low))
    stop = len(columns)
    if high < 2**64:
        stop = int(np.searchsorted(columns.identity, np.uint64(high)))
    return columns.take(slice(int(start), stop))
