"""Skimmed events without those that occur before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from taipan.analysis import Column
from taipan.errors import TaipanError
from taipan.skim.storage import EventWriter


def write_first(
    chunks: Sequence[tuple[Path, Sequence[int]]],
    out: Path,
    columns: Sequence[Column],
    provenance: Mapping[str, Any],
) -> None:
    """Write the events of chunks to one file, without those that occur before.

    Parameters
    ----------
    chunks
        Parquet file of each chunk and its rows that are left out, ascending.
    out
        Parquet file to write; it appears when complete.
    columns
        Columns of the skim.
    provenance
        Stored in the file.

    Raises
    ------
    TaipanError
        If a file cannot be read, or has no such row; names it.
    """
    with EventWriter(out, columns, provenance) as writer:
        for path, dropped in chunks:
            _copy(path, np.asarray(dropped, np.int64), writer)


def _copy(path: Path, dropped: Any, writer: EventWriter) -> None:
    start = 0
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if len(dropped) and not 0 <= dropped.min() <= dropped.max() < file.metadata.num_rows:
                raise TaipanError(
                    f"{path} has {file.metadata.num_rows} events, not {dropped.max()}"
                )
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                rows = np.arange(start, start + len(table))
                kept = ~np.isin(rows, dropped)
                if len(dropped) and not kept.all():
                    table = table.filter(pa.array(kept))
                writer.write(table)
                start += len(rows)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TaipanError(f"{path} is not a readable Parquet file: {reason}") from error
