"""Parquet files of skimmed events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from taipan.analysis import Column, Columns
from taipan.atomic import replacing
from taipan.errors import TaipanError

_PROVENANCE = b"taipan"


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Arrow schema of a list of columns; units and meanings travel as field metadata."""
    fields = []
    for column in columns:
        scalar = pa.from_numpy_dtype(np.dtype(column.dtype))
        kind = pa.list_(scalar) if column.jagged else scalar
        notes = {"unit": column.unit, "meaning": column.meaning}
        fields.append(pa.field(column.name, kind, nullable=False, metadata=notes))
    return pa.schema(fields)


def to_table(record: Any, columns: Sequence[Column]) -> pa.Table:
    """Turn an awkward record array into an Arrow table with exactly `columns`.

    Raises
    ------
    TaipanError
        If a floating-point column has NaN or infinite values; names the column and the count.
    """
    arrays = []
    for column, field in zip(columns, schema_of(columns), strict=True):
        values = ak.values_astype(record[column.name], np.dtype(column.dtype))
        flat = ak.to_numpy(ak.flatten(values, axis=None))
        if flat.dtype.kind == "f" and not np.isfinite(flat).all():
            bad = int((~np.isfinite(flat)).sum())
            raise TaipanError(f"column '{column.name}' has {bad} values that are NaN or infinite")
        if column.jagged:
            offsets = np.concatenate([[0], np.cumsum(ak.to_numpy(ak.num(values)))])
            array = pa.ListArray.from_arrays(
                pa.array(offsets.astype(np.int32)), pa.array(flat), type=field.type
            )
        else:
            array = pa.array(flat, type=field.type)
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=schema_of(columns))


class EventWriter:
    """Writes tables one after the other to a Parquet file that appears only when complete."""

    def __init__(
        self, path: Path | str, columns: Sequence[Column], provenance: Mapping[str, Any]
    ) -> None:
        self._replacing = replacing(path)
        self._schema = schema_of(columns).with_metadata(
            {_PROVENANCE: json.dumps(provenance, sort_keys=True).encode()}
        )

    def __enter__(self) -> EventWriter:
        temporary = self._replacing.__enter__()
        self._writer = pq.ParquetWriter(temporary, self._schema, compression="zstd")
        return self

    def write(self, table: pa.Table) -> None:
        """Append a table."""
        self._writer.write_table(table.replace_schema_metadata(self._schema.metadata))

    def __exit__(self, *error: Any) -> None:
        self._writer.close()
        self._replacing.__exit__(*error)


def read_events(paths: Sequence[Path | str], columns: Sequence[Column]) -> Columns:
    """Read skimmed events.

    Parameters
    ----------
    paths
        Parquet files, read in this order.
    columns
        Columns to read.

    Returns
    -------
    dict
        Name → array: shape (n,) for scalars, (n, m) for objects, padded with NaN up to the largest
        number m ≥ 1 of objects in an event. Object columns are float32.

    Raises
    ------
    TaipanError
        If a file is missing or damaged or lacks a column; names it.
    """
    names = [column.name for column in columns]
    tables = []
    for path in paths:
        try:
            table = pq.read_table(path, columns=names)
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise TaipanError(f"{path} is not a readable Parquet file: {reason}") from error
        absent = [name for name in names if name not in table.column_names]
        if absent:
            raise TaipanError(f"{path}: column '{absent[0]}' is missing ({table.column_names})")
        tables.append(table.replace_schema_metadata(None))
    table = pa.concat_tables(tables).combine_chunks()
    out = {}
    for column in columns:
        chunk = table[column.name].combine_chunks()
        if isinstance(chunk, pa.ChunkedArray):  # an empty table keeps its chunks
            chunk = pa.concat_arrays(chunk.chunks) if chunk.num_chunks else pa.array([])
        out[column.name] = _pad(chunk) if column.jagged else chunk.to_numpy(False)
        out[column.name].flags.writeable = False
    return out


def _pad(chunk: Any) -> Any:
    """Rectangular float32 array of a list array, NaN where there is no object."""
    offsets = chunk.offsets.to_numpy()
    counts = np.diff(offsets)
    content = chunk.values.to_numpy(zero_copy_only=False)[offsets[0] : offsets[-1]]
    width = max(1, int(counts.max(initial=0)))
    rows = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(content)) - np.repeat(offsets[:-1] - offsets[0], counts)
    padded = np.full((len(counts), width), np.nan, dtype=np.float32)
    padded[rows, within] = content
    return padded


def read_provenance(path: Path | str) -> dict[str, Any]:
    """Return the provenance stored in a Parquet file made by :class:`EventWriter`.

    Raises
    ------
    TaipanError
        If the file cannot be read or has none.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException) as error:
        raise TaipanError(f"{path} is not a readable Parquet file: {error}") from error
    if _PROVENANCE not in metadata:
        raise TaipanError(f"{path} carries no provenance")
    content: dict[str, Any] = json.loads(metadata[_PROVENANCE])
    return content
