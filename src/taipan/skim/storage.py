"""Parquet files of skimmed events."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from taipan.analysis import Column, Columns, SkimColumns
from taipan.atomic import replacing
from taipan.columns.event_block import Lists
from taipan.errors import TaipanError
from taipan.parquet import read_parquet, read_rows

_PROVENANCE = b"taipan"
_MOST_OBJECTS = 1000  # of a kind in an event
_SHAPES = {True: "a list of values", False: "one value"}


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Arrow schema of a list of columns; units and meanings travel as field metadata."""
    fields = []
    for column in columns:
        scalar = pa.from_numpy_dtype(np.dtype(column.dtype))
        kind = pa.list_(scalar) if column.jagged else scalar
        notes = {"unit": column.unit, "meaning": column.meaning}
        fields.append(pa.field(column.name, kind, nullable=False, metadata=notes))
    return pa.schema(fields)


def _leaves(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    """Return path in a Parquet file and type of the numbers of each column."""
    return [
        (f"{field.name}.list.element", field.type.value_type)
        if pa.types.is_list(field.type)
        else (field.name, field.type)
        for field in schema
    ]


def to_table(content: SkimColumns, columns: Sequence[Column]) -> pa.Table:
    """Turn columns of events into an Arrow table with exactly `columns`.

    Parameters
    ----------
    content
        Name → array of shape (n,), or :class:`~taipan.columns.event_block.Lists` if jagged.
    columns
        Columns of the table.

    Raises
    ------
    TaipanError
        If a floating-point column has NaN or infinite values (names the column and the count), or
        a column is a list where `columns` wants one value, or the reverse.
    """
    schema = schema_of(columns)
    arrays = []
    for column, field in zip(columns, schema, strict=True):
        values = content[column.name]
        counts = values.counts if isinstance(values, Lists) else None
        if column.jagged != (counts is not None):
            raise TaipanError(f"column '{column.name}' must be {_SHAPES[column.jagged]} an event")
        flat = values.values if isinstance(values, Lists) else values
        flat = flat.astype(column.dtype, copy=False)
        if flat.dtype.kind == "f" and not np.isfinite(flat).all():
            bad = int((~np.isfinite(flat)).sum())
            raise TaipanError(f"column '{column.name}' has {bad} values that are NaN or infinite")
        if counts is not None:
            offsets = np.concatenate([[0], np.cumsum(counts)])
            array = pa.ListArray.from_arrays(
                _to_arrow(offsets.astype(np.int32), pa.int32()),
                _to_arrow(flat, field.type.value_type),
                type=field.type,
            )
        else:
            array = _to_arrow(flat, field.type)
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=schema)


def _to_arrow(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Wrap numbers as an Arrow array; ``pa.array`` would import pandas, 0.3 s, to do so."""
    bits = np.packbits(values, bitorder="little") if values.dtype == bool else values
    buffer = pa.py_buffer(np.ascontiguousarray(bits))
    return pa.Array.from_buffers(kind, len(values), [None, buffer])


class EventWriter:
    """Writes tables one after the other to a Parquet file that appears only when complete.

    Parameters
    ----------
    path
        File.
    columns
        Columns of the tables.
    provenance
        Stored in the file.
    quick
        Names of columns that are so many that the time to read them counts: LZ4 takes a quarter
        more space for them than Zstandard, and half the time.
    """

    def __init__(
        self,
        path: Path | str,
        columns: Sequence[Column],
        provenance: Mapping[str, Any],
        quick: Collection[str] = (),
    ) -> None:
        self._replacing = replacing(path)
        self._quick = frozenset(quick)
        self._schema = schema_of(columns).with_metadata(
            {_PROVENANCE: json.dumps(provenance, sort_keys=True).encode()}
        )

    def __enter__(self) -> EventWriter:
        temporary = self._replacing.__enter__()
        # Momenta do not repeat: the bytes of equal significance together compress 10 % better than
        # a dictionary of them, and are written in 2/3 of the time.
        leaves = _leaves(self._schema)
        floats = [path for path, kind in leaves if pa.types.is_floating(kind)]
        codecs = {path: "lz4" if path in self._quick else "zstd" for path, _ in leaves}
        self._writer = pq.ParquetWriter(
            temporary,
            self._schema,
            compression=codecs if self._quick else "zstd",
            use_dictionary=False,
            column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
            write_page_checksum=True,
        )
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
    return hold_events([_read_table(path, columns) for path in paths], columns)


def iterate_events(
    paths: Sequence[Path | str], columns: Sequence[Column], step: int
) -> Iterator[Columns]:
    """Read skimmed events in blocks, which do not depend on how they are divided into files.

    Parameters
    ----------
    paths, columns
        As for :func:`read_events`; a block of a file is held in memory at a time.
    step
        Number of events of a block; the last one has fewer.

    Yields
    ------
    dict
        As :func:`read_events`; one block without events if there are none.

    Raises
    ------
    TaipanError
        If a file is missing or damaged or lacks a column; names it.
    """
    waiting: list[pa.Table] = []
    rows, blocks = 0, 0
    for table in _read_tables(paths, columns, step):
        while rows + len(table) >= step:
            taken = step - rows
            yield hold_events([*waiting, table.slice(0, taken)], columns)
            table, waiting, rows, blocks = table.slice(taken), [], 0, blocks + 1
        if len(table):  # nothing is copied to join one table alone
            waiting, rows = [*waiting, table], rows + len(table)
    if rows or not blocks:
        yield hold_events(waiting or [schema_of(columns).empty_table()], columns)


def _read_tables(
    paths: Sequence[Path | str], columns: Sequence[Column], step: int
) -> Iterator[pa.Table]:
    for path in paths:
        for table in read_rows(path, [column.name for column in columns], step):
            if len(table):  # a chunk that was left out has no members of generator weights
                _check_columns(path, table, columns)
                yield table.replace_schema_metadata(None)


def _read_table(path: Path | str, columns: Sequence[Column]) -> pa.Table:
    table = read_parquet(path, [column.name for column in columns])
    _check_columns(path, table, columns)
    return table.replace_schema_metadata(None)


def hold_events(tables: Sequence[pa.Table], columns: Sequence[Column]) -> Columns:
    """Concatenate tables and return read-only arrays, lists padded."""
    table = pa.concat_tables(tables).combine_chunks()
    out = {}
    for column in columns:
        found = table[column.name]  # combined, but a single chunk would be copied once more
        chunk = found.chunk(0) if found.num_chunks else pa.array([], found.type)
        out[column.name] = _pad(chunk) if column.jagged else chunk.to_numpy(False)
        out[column.name].flags.writeable = False
    return out


def _check_columns(path: Path | str, table: pa.Table, columns: Sequence[Column]) -> None:
    """Refuse a table that lacks a column, or has one of another type or with gaps."""
    for wanted in schema_of(columns):
        if wanted.name not in table.column_names:
            raise TaipanError(f"{path}: column '{wanted.name}' is missing ({table.column_names})")
        found = table[wanted.name]
        if found.type != wanted.type:
            raise TaipanError(
                f"{path}: column '{wanted.name}' is of type {found.type}, expected {wanted.type}"
            )
        flat = (pc.list_flatten(found),) if pa.types.is_list(found.type) else ()
        if any(values.null_count for values in (found, *flat)):
            raise TaipanError(f"{path}: column '{wanted.name}' has missing values")


def _pad(chunk: Any) -> Any:
    """Rectangular float32 array of a list array, NaN where there is no object."""
    offsets = chunk.offsets.to_numpy()
    counts = np.diff(offsets)
    content = chunk.values.to_numpy(zero_copy_only=False)[offsets[0] : offsets[-1]]
    width = max(1, int(counts.max(initial=0)))
    if width > _MOST_OBJECTS:
        raise TaipanError(f"an event with {width} objects, at most {_MOST_OBJECTS} are expected")
    if len(content) and len(content) == width * len(counts):  # every list has this length
        return content.astype(np.float32, copy=False).reshape(len(counts), width)
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
    content = find_provenance(path)
    if content is None:
        raise TaipanError(f"{path} carries no provenance")
    return content


def find_provenance(path: Path | str) -> dict[str, Any] | None:
    """Return the provenance stored in a Parquet file, None if it has none.

    Raises
    ------
    TaipanError
        If the file cannot be read.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
        content: dict[str, Any] | None = json.loads(metadata.get(_PROVENANCE, b"null"))
    except (OSError, ValueError, RecursionError, pa.ArrowException) as error:
        raise TaipanError(f"{path} is not a readable Parquet file: {error}") from error
    return content
