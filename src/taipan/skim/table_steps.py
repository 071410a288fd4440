"""The skim of a table: rows become events with the branches that a selection asks for."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, SkimContext
from taipan.columns.declared import is_object
from taipan.columns.event_block import EventBlock, Lists
from taipan.columns.identity import hash_columns
from taipan.errors import TaipanError
from taipan.skim.cutflow import Cutflow, count
from taipan.skim.finite import require_finite
from taipan.skim.identify import identify_events
from taipan.skim.step import SkimStep
from taipan.skim.tables import OpenTable, reading
from taipan.suggestions import nearest
from taipan.table_format import TableFormat, columns_of

logger = logging.getLogger(__name__)

Array = NDArray[Any]
_NUMBERS = ("run", "luminosityBlock", "event")
_MADE = (*_NUMBERS, "PV_npvs", "genWeight")
"""Branches that every selection stores and a table need not have; PV_npvs is then 1."""


@dataclass(frozen=True)
class TableReading:
    """How the table of a dataset is read.

    Attributes
    ----------
    format
        Of the catalogue.
    label
        Label of the dataset, None where all rows belong to it.
    labels
        Labels of all datasets of the catalogue.
    constants
        Branch → number in every row of the dataset.
    """

    format: TableFormat
    label: str | None = None
    labels: Sequence[str] = ()
    constants: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TableReading:
        """Take the parameters of a rule."""
        return cls(**{**content, "format": TableFormat.model_validate(content["format"])})


def require_branches(table: TableFormat, analysis: Analysis, is_data: bool) -> None:
    """Refuse a table whose columns are not mapped to all that the selection needs.

    Raises
    ------
    TaipanError
        Naming the branches.
    """
    simulation = () if is_data else analysis.simulation_branches
    needed = (*analysis.trigger_branches, *analysis.branches, *simulation)
    absent = [name for name in needed if name not in table.columns and name not in _MADE]
    if absent:
        raise TaipanError(
            f"table.columns: no column for branch {', '.join(map(repr, absent))}, which the "
            f"selection reads{nearest(absent[0], table.columns)} "
            f"(mapped: {', '.join(table.columns)})"
        )


def table_steps(
    table: OpenTable,
    rows: tuple[int, int, int],
    found: TableReading,
    analysis: Analysis,
    context: SkimContext,
) -> Iterator[SkimStep]:
    """Select the events of a range of rows.

    Parameters
    ----------
    table
        The open table.
    rows
        First row, the one after the last, and how many are read at a time.
    found
        How it is read.
    analysis, context
        The selection, and what it may know.

    Raises
    ------
    TaipanError
        If a column is missing, a weight or another value is not finite, a number is no whole one
        where one is asked for, or a label is unknown; names file, column and row.
    """
    form, is_data = found.format, context.is_data
    require_branches(form, analysis, is_data)
    names = form.names(is_data=is_data)
    table.require(names)
    start, stop, step = rows
    parts = table.read(names, start, stop, step)
    while True:
        with reading(table.path):
            part = next(parts, None)
        if part is None:
            return
        low, columns = part
        size = len(next(iter(columns.values())))
        chosen = _choose_label(table, found, columns, low)
        entries = low + np.flatnonzero(chosen)
        columns = {name: values[chosen] for name, values in columns.items()}
        weights = _weigh(table, form, columns, entries, is_data=is_data)
        branches = _map_columns(table, found, columns, entries, analysis)
        require_finite(table.path, branches, entries)
        branches |= _number(table, form, columns, entries, branches)
        branches["genWeight"] = weights
        yield _select(branches, weights, analysis, context, low)
        logger.info("rows %d to %d: %d of this dataset", low, low + size, len(weights))


def _choose_label(
    table: OpenTable, found: TableReading, columns: Mapping[str, Array], low: int
) -> Array:
    """Tell which rows belong to the dataset; refuses a label that nobody has named."""
    name = found.format.label
    if name is None:
        return np.ones(len(next(iter(columns.values()))), dtype=bool)
    values, place = np.unique(_as_text(columns[name]), return_inverse=True)
    known = (*found.labels, *found.format.unused_labels)
    for i, value in enumerate(values):
        if value not in known:
            row = low + int(np.flatnonzero(place == i)[0])
            raise TaipanError(
                f"{table.path}: column '{name}' has '{value}' in row {row}, which is no label of a "
                f"dataset{nearest(str(value), known)} (datasets.*.label or table.unused_labels: "
                f"{', '.join(known)})"
            )
    return np.asarray(values[place] == found.label)


def _as_text(values: Array) -> Array:
    if values.dtype.kind in "fiub":
        return np.array([f"{value:g}" for value in values.astype(np.float64)], dtype=object)
    return values.astype(str)


def _weigh(
    table: OpenTable,
    form: TableFormat,
    columns: Mapping[str, Array],
    entries: Array,
    *,
    is_data: bool,
) -> Array:
    """Give the weights, 1 in data and without a column of weights, shape (n,)."""
    if is_data or form.weight is None:
        return np.ones(len(entries), np.float32)
    weights = columns[form.weight].astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(weights))
    if len(bad):
        raise TaipanError(
            f"{table.path}: weight '{form.weight}' is NaN or infinite in {len(bad)} rows, the "
            f"first is row {entries[bad[0]]} (every weight must be a finite number)"
        )
    return weights


def _map_columns(
    table: OpenTable,
    found: TableReading,
    columns: Mapping[str, Array],
    entries: Array,
    analysis: Analysis,
) -> dict[str, Array | Lists]:
    """Make the branches of the selection."""
    types = {column.name: np.dtype(column.dtype) for column in analysis.columns}
    sources = {**found.format.columns, **found.constants}
    present = {
        group: _find_present(found.format, columns, names)
        for group, names in _group_columns(sources).items()
    }
    branches: dict[str, Array | Lists] = {}
    for branch, source in sources.items():
        kind = types.get(branch, np.dtype(np.float32))
        if not is_object(branch):
            values = [columns[name] for name in columns_of(source)]
            flat = values[0] if values else np.full(len(entries), source)
            branches[branch] = _to_type(table, branch, flat, kind, entries)
            continue
        there = present.get(branch.partition("_")[0])
        if there is None:
            raise TaipanError(f"table.columns.{branch}: no column of this collection has values")
        stacked = [columns[name] for name in columns_of(source)]
        whole = np.stack(stacked, axis=1) if stacked else np.full(there.shape, source)
        rows = np.broadcast_to(entries[:, None], there.shape)[there]
        flat = _to_type(table, branch, whole[there], kind, rows)
        branches[branch] = Lists(flat, there.sum(axis=1))
    return branches


def _group_columns(sources: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Find the columns of a collection that tell what is there: its pT, or its first branch."""
    found: dict[str, tuple[str, ...]] = {}
    for branch, source in sources.items():
        group, _, name = branch.partition("_")
        if is_object(branch) and columns_of(source) and (name == "pt" or group not in found):
            found[group] = columns_of(source)
    return found


def _find_present(form: TableFormat, columns: Mapping[str, Array], names: Sequence[str]) -> Array:
    values = np.stack([columns[name].astype(np.float64) for name in names], axis=1)
    return ~np.isnan(values) if form.missing is None else values != form.missing


def _to_type(
    table: OpenTable, branch: str, values: Array, kind: np.dtype[Any], rows: Array
) -> Array:
    """Turn values into the type of a branch; refuses to cut off what is behind the point."""
    try:
        made: Array = values.astype(kind if kind.kind != "f" else np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise TaipanError(f"{table.path}: branch '{branch}' is no number: {error}") from error
    if kind.kind in "iub" and values.dtype.kind == "f":
        wrong = np.flatnonzero(made != values)
        if len(wrong):
            raise TaipanError(
                f"{table.path}: branch '{branch}' is {values[wrong[0]]:g} in row {rows[wrong[0]]} "
                f"(it takes whole numbers, {kind})"
            )
    return made


def _number(
    table: OpenTable,
    form: TableFormat,
    columns: Mapping[str, Array],
    entries: Array,
    branches: Mapping[str, Array | Lists],
) -> dict[str, Array]:
    """Give numbers to the events where no column does, and one vertex."""
    n = len(entries)
    if form.identity == "row":
        file = zlib.crc32(table.path.name.encode())
        numbers = (np.full(n, file, np.uint32), np.zeros(n, np.uint32), entries.astype(np.uint64))
    else:
        used = [name for source in form.columns.values() for name in columns_of(source)]
        values = [columns[name] for name in dict.fromkeys(used)]
        zeros = np.zeros(n, np.uint32)
        numbers = (zeros, zeros, hash_columns([v.astype(np.float32) for v in values]))
    made: dict[str, Array] = dict(zip(_NUMBERS, numbers, strict=True))
    made["PV_npvs"] = np.ones(n, np.int32)
    return {name: values for name, values in made.items() if name not in branches}


def _select(
    branches: Mapping[str, Any],
    weights: Array,
    analysis: Analysis,
    context: SkimContext,
    low: int,
) -> SkimStep:
    """Ask the selection which events are kept."""
    first = {name: values for name, values in branches.items() if not isinstance(values, Lists)}
    passed = analysis.preselect(first, context)
    flow = [count("all", weights), count("trigger", weights[passed])]
    record, cuts = analysis.select(EventBlock.from_columns(branches, passed), context)
    chosen = np.zeros(len(weights), dtype=bool)
    chosen[np.flatnonzero(passed)[cuts[-1][1]] if cuts else passed] = True
    identities = identify_events(first, record, chosen, weights, analysis, is_data=context.is_data)
    flow += [count(name, weights[passed][mask]) for name, mask in cuts]
    return SkimStep(record, Cutflow(context.dataset, tuple(flow)), identities, low, weights)
