"""The skim: one chunk of a ROOT file to a Parquet file and a cutflow."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, SkimContext
from taipan.atomic import write_json
from taipan.columns.event_block import EventBlock
from taipan.errors import BadFileError, TaipanError, UnreachableError
from taipan.labels import TREE
from taipan.remote.mirrors import RemoteFile
from taipan.remote.opening import brief, open_root
from taipan.skim.columns import read_columns
from taipan.skim.cutflow import Cut, Cutflow, count, merge_cutflows
from taipan.skim.finite import require_finite
from taipan.skim.generator_weights import SpreadMeter, WeightSpread, refuse_absurd
from taipan.skim.identify import identify_events, identify_kept, telling_branches
from taipan.skim.identities import IdentityWriter
from taipan.skim.lumi_mask import read_lumi_mask
from taipan.skim.parts import GeneratedSums, Part, read_generated
from taipan.skim.read_lists import ListReader
from taipan.skim.schema import MappedTree, choose_alternatives, describe_branches, map_branches
from taipan.skim.step import SkimStep
from taipan.skim.storage import EventWriter, to_table
from taipan.skim.table_steps import TableReading, table_steps
from taipan.skim.tables import open_table, reading

logger = logging.getLogger(__name__)
LUMI_BRANCHES = ("run", "luminosityBlock")
_Opened = tuple[Any, int, int]
"""Tree of a chunk, and the range of its entries."""


@dataclass(frozen=True)
class Chunk:
    """Part of a file: entries `start` up to, not including, `stop` (None: to the end).

    The catalogue may know the file by another `name` than that of its path.
    """

    path: Path | RemoteFile
    start: int = 0
    stop: int | None = None
    name: str | None = None

    @property
    def entries(self) -> str:
        """Entry range, for messages."""
        return f"entries {self.start} to {'end' if self.stop is None else self.stop}"

    def __str__(self) -> str:
        """Return file and entry range, for messages."""
        return f"{self.path} ({self.entries})"


@dataclass(frozen=True)
class SkimSettings:
    """What a skim depends on besides the chunk."""

    dataset: str
    is_data: bool
    kind: str
    envelope: Mapping[str, float]
    step_events: int
    lumi_mask: str | None = None
    table: Mapping[str, Any] | None = None
    weight_lists: tuple[str, ...] = ()  # branches that are kept with the events

    @property
    def context(self) -> SkimContext:
        """What the selection may know of it."""
        return SkimContext(self.dataset, self.is_data, self.envelope)


def skim_chunk(
    chunk: Chunk,
    analysis: Analysis,
    settings: SkimSettings,
    events: Path,
    cutflow: Path,
    provenance: Mapping[str, Any],
    identities: Path | None = None,
) -> Cutflow:
    """Select the events of a chunk and write their columns and the cutflow.

    Parameters
    ----------
    chunk
        What to read.
    analysis
        Selection and columns.
    settings
        Dataset, kind of file (``skims``: flat ntuple, otherwise NanoAOD) and loosening.
    events, cutflow
        Parquet and JSON files to write; neither appears unless both are complete.
    provenance
        Stored in the files.
    identities
        Parquet file to write with the identity of every event read
        (:mod:`taipan.skim.identities`), or None.

    Returns
    -------
    Cutflow
        Events and weights after each cut.

    Raises
    ------
    TaipanError
        If the file is missing, damaged, empty or lacks a branch, a value that is read is NaN or
        infinite, or a generator weight is absurd; names the file, the entries and the branch.
    """
    began = time.perf_counter()
    parts: list[Cutflow] = []
    make_steps = _STEPS.get(settings.kind, _nano_steps)
    opened = _open_tree(chunk) if settings.table is None else _open_table(chunk, settings)
    meter = SpreadMeter()
    lists = ListReader(opened[0], settings.weight_lists, opened[1:], chunk.path)
    columns = (*analysis.columns, *lists.columns)
    with (
        EventWriter(events, columns, provenance, [c.name for c in lists.columns]) as writer,
        IdentityWriter(identities, provenance) as listed,
    ):
        for made in make_steps(opened, chunk, analysis, settings):
            kept = lists.read(made.start, made.weights, made.chosen)
            try:
                writer.write(to_table({**made.columns, **kept}, columns))
            except TaipanError as error:
                raise TaipanError(f"{chunk}: {error}") from error
            listed.write(made.identities)
            parts.append(made.flow)
            if made.weights is not None:
                meter.add(made.weights, made.start)
        spread = meter.result()
        refuse_absurd(chunk.path, spread, spread.median)
        merged = merge_cutflows(parts)
        part = _describe_part(opened, chunk, analysis, settings, merged.cuts[0], spread)
        part = replace(part, lists=lists.result())
        write_json(
            cutflow,
            {**merged.to_dict(), "part": part.to_dict(), "provenance": dict(provenance)},
        )
    seconds = time.perf_counter() - began
    first, last = merged.cuts[0], merged.cuts[-1]
    logger.info("%s: %d events read, %d kept", settings.dataset, first.events, last.events)
    logger.info("Σ genWeight %.8g before, %.8g after", first.sumw, last.sumw)
    logger.info("%.2f s, %.0f events/s", seconds, first.events / max(seconds, 1e-9))
    return merged


def inspect_file(
    path: Path | RemoteFile, analysis: Analysis, *, flat: bool = False
) -> tuple[int, bool]:
    """Count the events of a file and see whether they are collision data.

    Parameters
    ----------
    path
        ROOT file.
    analysis
        Its branches of the generator record tell simulation from data.
    flat
        True for a flat ntuple, which holds no such branches.

    Returns
    -------
    entries, is_data
        A flat ntuple is taken for simulation.

    Raises
    ------
    TaipanError
        If the file cannot be opened, or has generator weights but not all branches of the
        generator record.
    """
    tree, _, entries = _open_tree(Chunk(path))
    if flat:
        return entries, False
    try:
        choose_alternatives(tree, analysis.simulation_branches, analysis.alternatives, path)
    except TaipanError as error:
        if "genWeight" in tree.keys():  # noqa: SIM118 (a tree is no mapping)
            raise TaipanError(f"{error}; with genWeight, so no collision data") from error
        return entries, True
    return entries, False


def _needed(analysis: Analysis, is_data: bool) -> tuple[str, ...]:
    """Branches of NanoAOD that the analysis cannot do without."""
    simulation = () if is_data else analysis.simulation_branches
    return (*analysis.trigger_branches, *analysis.branches, *simulation)


def _describe_part(
    opened: _Opened,
    chunk: Chunk,
    analysis: Analysis,
    settings: SkimSettings,
    read: Cut,
    spread: WeightSpread,
) -> Part:
    """Describe what was read, for the checks over all parts of a dataset."""
    tree, start, stop = opened
    name = chunk.name or chunk.path.name
    sums = GeneratedSums(read.events, read.sumw, read.sumw2)
    if settings.kind == "skims":
        return Part(name, start, stop, int(tree.num_entries), sums)
    if settings.table is not None:
        return Part(
            name, start, stop, tree.count(), sums, weighted=not settings.is_data, weights=spread
        )
    needed = _needed(analysis, settings.is_data)
    directory = tree.file.root_directory
    return Part(
        name,
        start,
        stop,
        int(tree.num_entries),
        sums,
        generated=None if settings.is_data else read_generated(directory, chunk.path),
        branches=describe_branches(tree, needed, analysis.alternatives, chunk.path),
        weighted=_is_weighted(tree, analysis, settings),
        weights=spread,
    )


def _is_weighted(tree: Any, analysis: Analysis, settings: SkimSettings) -> bool:
    """Tell whether events have a generator weight that is used."""
    known = "genWeight" in analysis.optional_branches and not settings.is_data
    return known and "genWeight" in tree.keys()  # noqa: SIM118 (a tree is no mapping)


def _open_tree(chunk: Chunk) -> _Opened:
    """Open the tree and return it with the range of entries; refuses an empty one."""
    try:
        source = open_root(chunk.path)
    except BadFileError as error:
        raise BadFileError(f"{error}; wanted: {chunk.entries}") from error
    if TREE not in source:
        names = ", ".join(key.split(";")[0] for key in source)
        raise TaipanError(f"{chunk.path} has no tree '{TREE}' (found: {names or 'nothing'})")
    try:
        tree = source[TREE]
        total = int(tree.num_entries)
    except UnreachableError:
        raise
    except Exception as error:  # uproot raises many types on damaged files
        raise BadFileError(f"{chunk}: '{TREE}' cannot be read: {brief(error)}") from error
    return tree, *_check_range(chunk, total)


def _open_table(chunk: Chunk, settings: SkimSettings) -> _Opened:
    """Open a table and return it with the range of rows; refuses an empty one."""
    if settings.weight_lists:
        wanted = ", ".join(settings.weight_lists)
        raise TaipanError(f"{chunk.path}: a table has no lists of generator weights ({wanted})")
    if not isinstance(chunk.path, Path):
        raise TaipanError(f"{chunk.path}: a table is not read from a server (remote.access: fetch)")
    table = open_table(chunk.path, str((settings.table or {})["format"]["group"]))
    with reading(chunk):
        total = table.count()
    return table, *_check_range(chunk, total)


def _check_range(chunk: Chunk, total: int) -> tuple[int, int]:
    stop = total if chunk.stop is None else chunk.stop
    if total == 0:
        raise TaipanError(f"{chunk.path} has no events")
    if not 0 <= chunk.start < stop <= total:
        raise TaipanError(f"{chunk}: the file has {total} entries")
    return chunk.start, stop


def _require(tree: Any, branches: tuple[str, ...], chunk: Chunk) -> None:
    present = set(tree.keys())
    absent = [name for name in branches if name not in present]
    if absent:
        raise TaipanError(f"{chunk.path}: missing branch {', '.join(map(repr, absent))}")


def _read(tree: Any, names: tuple[str, ...], start: int, stop: int, chunk: Chunk) -> Any:
    """Read branches; see :func:`read_columns`."""
    try:
        return read_columns(tree, names, start, stop)
    except UnreachableError as error:
        raise UnreachableError(f"{chunk.path}: entries {start} to {stop}: {error}") from error
    except Exception as error:  # a damaged basket fails in uproot, NumPy or a codec
        raise BadFileError(
            f"{chunk.path}: entries {start} to {stop} cannot be read: {brief(error)}"
        ) from error


def _read_events(
    tree: Any, names: tuple[str, ...], start: int, passed: NDArray[Any], chunk: Chunk
) -> EventBlock:
    """Read the events of `start` onwards for which `passed` is true, and none before or after."""
    rows = np.flatnonzero(passed)
    first, stop = (rows[0], rows[-1] + 1) if len(rows) else (0, 1)
    columns = _read(tree, names, int(start + first), int(start + stop), chunk)
    return EventBlock.from_columns(columns, passed[first:stop])


def _nano_steps(
    opened: _Opened, chunk: Chunk, analysis: Analysis, settings: SkimSettings
) -> Iterator[SkimStep]:
    tree, start, stop = opened
    wanted = analysis.branches + (() if settings.is_data else analysis.simulation_branches)
    tree = map_branches(tree, analysis.trigger_branches + wanted, analysis.alternatives, chunk.path)
    weighted = _is_weighted(tree, analysis, settings)
    sources: tuple[str, ...] = ()
    if isinstance(tree, MappedTree):
        sources = tree.sources((*analysis.trigger_branches, *wanted))
    certified = read_lumi_mask(settings.lumi_mask) if settings.is_data else None
    telling = telling_branches(analysis, settings.is_data)
    for low in range(start, stop, settings.step_events):
        high = min(low + settings.step_events, stop)
        stage_one = analysis.trigger_branches + (("genWeight",) if weighted else ())
        stage_one += (LUMI_BRANCHES if certified else ()) + telling
        first = _read(tree, tuple(dict.fromkeys(stage_one)), low, high, chunk)
        weights = first["genWeight"] if weighted else np.ones(high - low, np.float32)
        if not np.isfinite(weights).all():  # of every event, as each counts in the normalisation
            raise TaipanError(
                f"{chunk.path}: genWeight is NaN or infinite in {low} to {high} (every weight must "
                "be a finite number; mend the file, or take it out of the list)"
            )
        flow = [count("all", weights)]
        passed = analysis.preselect(first, settings.context)
        if certified:
            numbers = (first[name] for name in LUMI_BRANCHES)
            good = certified(*(values.astype(np.uint32) for values in numbers))
            flow.append(count("certified", weights[good]))
            passed = passed & good
        known = {name: values[passed] for name, values in first.items() if name in wanted}
        # what is derived may hide a NaN: an isolation below 0.8 GeV is false for it
        later = tuple(name for name in dict.fromkeys((*wanted, *sources)) if name not in known)
        events = _read_events(tree, later, low, passed, chunk).with_scalars(**known)
        if weighted:
            events = events.with_scalars(genWeight=weights[passed])
        entries = low + np.flatnonzero(passed)
        require_finite(chunk.path, events.columns(), entries)
        record, cuts = analysis.select(events, replace(settings.context, first=low == start))
        kept = weights[passed]
        chosen = np.zeros(high - low, dtype=bool)
        chosen[np.flatnonzero(passed)[cuts[-1][1]] if cuts else passed] = True
        identities = identify_events(
            first, record, chosen, weights, analysis, is_data=settings.is_data
        )
        flow.append(count("trigger", kept))
        flow += [count(name, kept[mask]) for name, mask in cuts]
        logger.info("entries %d to %d: %d of %d kept", low, high, flow[-1].events, high - low)
        made = Cutflow(settings.dataset, tuple(flow))
        yield SkimStep(record, made, identities, low, weights if weighted else None, chosen)


def _flat_steps(
    opened: _Opened, chunk: Chunk, analysis: Analysis, settings: SkimSettings
) -> Iterator[SkimStep]:
    if analysis.flat is None:
        raise TaipanError(f"analysis '{analysis.name}' cannot read flat ntuples")
    tree, start, stop = opened
    _require(tree, analysis.flat_branches, chunk)
    for low in range(start, stop, settings.step_events):
        high = min(low + settings.step_events, stop)
        arrays = _read(tree, analysis.flat_branches, low, high, chunk)
        require_finite(chunk.path, arrays, np.arange(low, high))
        record = analysis.flat(arrays, settings.context)
        ones = np.ones(high - low)
        cuts: tuple[Cut, ...] = (count("all", ones), count("pair", ones))
        identities = identify_kept(record, ones, analysis, is_data=settings.is_data)
        yield SkimStep(record, Cutflow(settings.dataset, cuts), identities, low)


def _table_steps(
    opened: _Opened, chunk: Chunk, analysis: Analysis, settings: SkimSettings
) -> Iterator[SkimStep]:
    table, start, stop = opened
    found = TableReading.from_dict(settings.table or {})
    rows = (start, stop, settings.step_events)
    yield from table_steps(table, rows, found, analysis, settings.context)


_STEPS = {"skims": _flat_steps, "tables": _table_steps}
"""Kind of file → what makes its steps, where it is not NanoAOD."""
