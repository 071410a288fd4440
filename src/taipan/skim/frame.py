"""Events of a table that is in memory, such as a test set that somebody hands over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns, SkimContext
from taipan.skim.storage import hold_events, to_table
from taipan.skim.table_steps import TableReading, table_steps
from taipan.skim.tables import OpenTable, RowRange

Array = NDArray[Any]


class _Memory(OpenTable):
    def __init__(self, columns: Mapping[str, Array]) -> None:
        super().__init__(Path("table in memory"), list(columns))
        self._columns = columns

    def count(self) -> int:
        return len(next(iter(self._columns.values())))

    def read(self, names: Sequence[str], start: int, stop: int, step: int) -> Iterator[RowRange]:
        for low in range(start, stop, step):
            rows = slice(low, min(low + step, stop))
            yield low, {name: np.asarray(self._columns[name][rows]) for name in names}


def select_rows(
    columns: Mapping[str, Array],
    reading: TableReading,
    analysis: Analysis,
    context: SkimContext,
    step: int = 200_000,
) -> Columns:
    """Select the events of a table in memory, as the skim does those of a file.

    Parameters
    ----------
    columns
        Column → values, shape (n,).
    reading, analysis, context
        As of :func:`taipan.skim.table_steps.table_steps`.
    step
        RowRange that are looked at together.

    Returns
    -------
    dict
        Stored columns of the events that are kept, objects padded with NaN.

    Raises
    ------
    TaipanError
        As :func:`taipan.skim.table_steps.table_steps`.
    """
    table = _Memory(columns)
    steps = table_steps(table, (0, table.count(), step), reading, analysis, context)
    made = [to_table(item.columns, analysis.columns) for item in steps]
    return hold_events(made, analysis.columns)
