"""One rule for all values that are read: each is a finite number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.columns.event_block import Lists
from taipan.errors import TaipanError


def require_finite(
    where: object,
    columns: Mapping[str, Any] | Iterable[tuple[str, Any]],
    entries: NDArray[Any],
) -> None:
    """Refuse a NaN or an infinity in any branch.

    A comparison with NaN is false, so an object with a NaN would be dropped without a word.

    Parameters
    ----------
    where
        File, for the message.
    columns
        Branch → values of the events that are used: shape (n,), or
        :class:`~taipan.columns.event_block.Lists`.
    entries
        Entry of each event in the file, shape (n,).

    Raises
    ------
    TaipanError
        Naming the branch, the number of values and the first entry that has one.
    """
    for name, column in columns.items() if isinstance(columns, Mapping) else columns:
        values = column.values if isinstance(column, Lists) else np.asarray(column)
        if values.dtype.kind != "f":
            continue
        bad = np.flatnonzero(~np.isfinite(values))
        if not len(bad):
            continue
        event = int(bad[0])
        if isinstance(column, Lists):
            event = int(np.searchsorted(np.cumsum(column.counts), event, side="right"))
        count = f"{len(bad)} value{'s' if len(bad) > 1 else ''}"
        raise TaipanError(
            f"{where}: column '{name}' has {count} NaN or infinite, the first in entry "
            f"{entries[event]} (every value that is used must be a finite number; mend the file, "
            "or take it out of the list)"
        )
