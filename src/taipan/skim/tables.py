"""Tables (Parquet, CSV, HDF5): their columns, read a range of rows at a time."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from taipan.errors import BadFileError, TaipanError
from taipan.suggestions import nearest

Array = NDArray[Any]
RowRange = tuple[int, dict[str, Array]]
"""Number of the first row, and column → values of some rows."""


class OpenTable(ABC):
    """An open table.

    Attributes
    ----------
    path
        The file.
    columns
        Names of its columns.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self.columns = tuple(columns)

    def keys(self) -> tuple[str, ...]:
        """Return the names of the columns, as a tree does those of its branches."""
        return self.columns

    @abstractmethod
    def count(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def read(self, names: Sequence[str], start: int, stop: int, step: int) -> Iterator[RowRange]:
        """Read columns of rows `start` to `stop`, at most `step` at a time."""

    def require(self, names: Sequence[str]) -> None:
        """Refuse a table without one of the columns.

        Raises
        ------
        TaipanError
            Naming the file, the columns that it lacks and those that it has.
        """
        absent = [name for name in names if name not in self.columns]
        if absent:
            raise TaipanError(
                f"{self.path}: missing column {', '.join(map(repr, absent))}"
                f"{nearest(absent[0], self.columns)} (found: {', '.join(self.columns)})"
            )


class _ParquetTable(OpenTable):
    def __init__(self, path: Path, group: str) -> None:
        self._file = pq.ParquetFile(path, page_checksum_verification=True)
        super().__init__(path, self._file.schema_arrow.names)

    def count(self) -> int:
        return int(self._file.metadata.num_rows)

    def read(self, names: Sequence[str], start: int, stop: int, step: int) -> Iterator[RowRange]:
        metadata = self._file.metadata
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        edges = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
        inside = [i for i in range(len(sizes)) if edges[i] < stop and edges[i + 1] > start]
        if not inside:
            return
        batches = self._file.iter_batches(step, row_groups=inside, columns=list(names))
        yield from _cut(batches, names, int(edges[inside[0]]), start, stop)


class _CsvTable(OpenTable):
    def __init__(self, path: Path, group: str) -> None:
        with path.open("rb") as handle:
            handle.seek(max(0, path.stat().st_size - 1))
            if handle.read() not in (b"\n", b"\r"):
                raise OSError("its last line has no end: the file is truncated")
        with self._open(path, None) as reader:
            super().__init__(path, reader.schema.names)

    @staticmethod
    def _open(path: Path, names: Sequence[str] | None) -> Any:
        import pyarrow.csv as pc

        options = pc.ConvertOptions(include_columns=list(names) if names else None)
        return pc.open_csv(path, convert_options=options)

    def count(self) -> int:
        with self._open(self.path, self.columns[:1]) as reader:
            return sum(batch.num_rows for batch in reader)

    def read(self, names: Sequence[str], start: int, stop: int, step: int) -> Iterator[RowRange]:
        with self._open(self.path, names) as reader:
            for first, columns in _cut(reader, names, 0, start, stop):
                size = len(columns[names[0]])
                for low in range(0, size, step):
                    part = {name: values[low : low + step] for name, values in columns.items()}
                    yield first + low, part


class _Hdf5Table(OpenTable):
    def __init__(self, path: Path, group: str) -> None:
        import h5py

        self._file = h5py.File(path, "r")
        node = self._file.get(group or "/")
        if node is None:
            raise TaipanError(f"{path} has no '{group}' (found: {', '.join(self._file)})")
        if isinstance(node, h5py.Dataset):
            columns = list(node.dtype.names or ())
        else:
            columns = [name for name, item in node.items() if isinstance(item, h5py.Dataset)]
            lengths = {len(node[name]) for name in columns}
            if len(lengths) > 1:
                raise TaipanError(
                    f"{path}: columns of {min(lengths)} and of {max(lengths)} rows in one group"
                )
        self._node, self._is_record = node, isinstance(node, h5py.Dataset)
        super().__init__(path, columns)

    def count(self) -> int:
        return len(self._node if self._is_record else self._node[self.columns[0]])

    def read(self, names: Sequence[str], start: int, stop: int, step: int) -> Iterator[RowRange]:
        for low in range(start, stop, step):
            rows = slice(low, min(low + step, stop))
            record = self._node[rows] if self._is_record else None
            found = {
                name: self._node[name][rows] if record is None else record[name] for name in names
            }
            yield low, {name: _to_text(values) for name, values in found.items()}


def _to_text(values: Array) -> Array:
    """Decode texts, which HDF5 holds as bytes."""
    if values.dtype.kind in "SO":
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values]
        return np.array(texts, dtype=object)
    return values


_FORMATS: dict[str, Callable[[Path, str], OpenTable]] = {
    ".parquet": _ParquetTable,
    ".csv": _CsvTable,
    ".h5": _Hdf5Table,
    ".hdf5": _Hdf5Table,
}


@contextlib.contextmanager
def reading(where: object) -> Iterator[None]:
    """Say of what a library refuses to read that the file is damaged, in one line.

    Raises
    ------
    BadFileError
        Naming `where`.
    """
    try:
        yield
    except TaipanError:
        raise
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadFileError(f"{where} cannot be read: {reason}") from error


def open_table(path: Path, group: str = "") -> OpenTable:
    """Open a table by the ending of its name.

    Parameters
    ----------
    path
        Parquet, CSV (a header, then a line a row) or HDF5 file (a group with a dataset of numbers a
        column, or a dataset of records).
    group
        Of an HDF5 file: path of the group or dataset, by default the root.

    Raises
    ------
    BadFileError
        If the file is truncated, damaged or of another kind.
    """
    if not path.is_file():
        raise TaipanError(f"{path} does not exist")
    with reading(path):
        return _FORMATS[path.suffix](path, group)


def _cut(
    batches: Any, names: Sequence[str], first: int, start: int, stop: int
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Give the rows `start` to `stop` of batches, the first of which begins at row `first`."""
    for batch in batches:
        low, high = max(start, first), min(stop, first + batch.num_rows)
        if low < high:
            rows = batch.slice(low - first, high - low)
            yield low, {name: rows.column(name).to_numpy(zero_copy_only=False) for name in names}
        first += batch.num_rows
        if first >= stop:
            return
