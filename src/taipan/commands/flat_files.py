"""A table that grows, as Parquet, CSV or ROOT."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import uproot
from numpy.typing import NDArray
from pyarrow import csv, parquet

from taipan.errors import TaipanError

FORMATS = ("parquet", "csv", "root")
"""Endings of the files."""
EVENT_TREE = "events"
"""Name of the tree in a ROOT file."""


def file_format(path: Path) -> str:
    """Give the format that the name of a file asks for.

    Raises
    ------
    TaipanError
        If it is none of `FORMATS`.
    """
    ending = path.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        allowed = ", ".join(f".{name}" for name in FORMATS)
        raise TaipanError(f"--out: '{path}' ends in none of {allowed}")
    return ending


class TableFile:
    """A file to which rows are added.

    Parameters
    ----------
    path
        File to write.
    kind
        One of `FORMATS`. A ROOT file holds numbers: a name is its position in `names`, which is in
        the file too, a text with a line each.
    names
        Column with names → all that it may hold.
    """

    def __init__(self, path: Path, kind: str, names: Mapping[str, list[str]]) -> None:
        self._path, self._kind, self._names = path, kind, names
        self._writer: Any = None
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, table: Mapping[str, NDArray[Any]]) -> None:
        """Add rows; all tables have the same columns."""
        self.rows += len(next(iter(table.values())))
        if self._kind == "root":
            self._add_root(table)
            return
        arrow = pa.table({
            name: pa.array(values.tolist(), type=pa.string())
            if name in self._names
            else pa.array(values, from_pandas=True)
            for name, values in table.items()
        })  # fmt: skip
        if self._writer is None:
            make = parquet.ParquetWriter if self._kind == "parquet" else csv.CSVWriter
            self._writer = make(self._path, arrow.schema)
        self._writer.write_table(arrow)

    def _add_root(self, table: Mapping[str, NDArray[Any]]) -> None:
        codes = {
            name: {text: i for i, text in enumerate(self._names[name])} for name in self._names
        }
        numbers = {
            name: np.array([codes[name][text] for text in values], dtype=np.int32)
            if name in codes
            else values
            for name, values in table.items()
        }
        if self._writer is None:
            self._writer = uproot.recreate(self._path)
            for name, texts in self._names.items():
                self._writer[name] = "\n".join(texts)
            self._writer.mktree(
                EVENT_TREE, {name: values.dtype for name, values in numbers.items()}
            )
        self._writer[EVENT_TREE].extend(numbers)
