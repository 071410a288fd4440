"""Reading Parquet files that may come from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from taipan.errors import TaipanError
from taipan.limits import MIB

_LARGEST_RATIO = 1000  # bytes in memory for each of a Parquet file; ours have less than 10
_SMALL = 64 * MIB  # what a Parquet file may always take
_WIDTH = 8  # bytes of the widest number


def read_parquet(path: Path | str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file, or columns of it; those that it lacks are left out.

    The checksums of its pages are verified where it has some.

    Parameters
    ----------
    path
        File.
    columns
        Names of columns, all by default.

    Raises
    ------
    TaipanError
        If the file is missing, damaged, or unpacks to absurdly much; names it.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _refuse_inflated(path, file.metadata, columns)
            table: pa.Table = file.read(columns=None if columns is None else list(columns))
            table.validate(full=True)
            return table
    except (OSError, OverflowError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TaipanError(f"{path} is not a readable Parquet file: {reason}") from error


def read_rows(path: Path | str, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """Read columns of a Parquet file some rows at a time, and otherwise as :func:`read_parquet`.

    The file is mapped into memory: to copy it there takes longer than to decode it.

    Parameters
    ----------
    path, columns
        As of :func:`read_parquet`.
    rows
        Largest number of rows of a table.

    Yields
    ------
    pa.Table
        At least one, without rows if there are none.

    Raises
    ------
    TaipanError
        As :func:`read_parquet`.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True, memory_map=True) as file:
            _refuse_inflated(path, file.metadata, columns)
            if not file.metadata.num_rows:
                yield file.read(columns=list(columns))
            for batch in file.iter_batches(rows, columns=list(columns), use_threads=False):
                table = pa.Table.from_batches([batch])
                table.validate(full=True)
                yield table
    except (OSError, OverflowError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TaipanError(f"{path} is not a readable Parquet file: {reason}") from error


def _refuse_inflated(
    path: Path | str, metadata: pq.FileMetaData, columns: Sequence[str] | None
) -> None:
    """Refuse a file that states more values than its bytes can be expected to hold."""
    # not from the metadata of a column chunk: a damaged one ends the process in pyarrow 26
    width = _WIDTH * (metadata.num_columns if columns is None else len(columns))
    total = 0
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        if row_group.num_rows < 0:
            raise TaipanError(f"{path} is not a readable Parquet file: {row_group.num_rows} rows")
        total += max(row_group.num_rows * width, row_group.total_byte_size)
    size = Path(path).stat().st_size
    if total > _LARGEST_RATIO * size + _SMALL:
        raise TaipanError(
            f"{path}: {size} bytes unpack to {total / MIB:.0f} MiB, more than "
            f"{_LARGEST_RATIO} times as much; it is not read"
        )
