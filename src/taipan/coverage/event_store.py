"""Events that a job reads again and again, on disk: a block of them is in memory at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.coverage.draw import Universe
from taipan.coverage.sample_events import SampleEvents, join_samples
from taipan.coverage.truth import Truth
from taipan.errors import TaipanError
from taipan.events.stream import BLOCK


@dataclass(frozen=True)
class _Block:
    """Where a block lies in the file, and what it is of."""

    offset: int
    sample: str
    dataset: str
    columns: tuple[str, ...]
    alternatives: tuple[str, ...]
    is_corrected: bool


class EventStore:
    """Events in a nameless file: the system removes it when the job ends, in whatever way.

    Parts of the same sample and dataset are joined to blocks. They are read in the order in which
    their sample and dataset were first added.

    Parameters
    ----------
    beside
        The file lies in the folder of this one.
    block
        Events of a block, at least; the last one of a sample and dataset has fewer.

    Attributes
    ----------
    seen, kept
        How many events were offered, and how many of them are stored.
    """

    def __init__(self, beside: Path | str, block: int = BLOCK) -> None:
        self._folder, self._size = Path(beside).parent, block
        self._waiting: dict[tuple[str, str], list[SampleEvents]] = {}
        self._blocks: dict[tuple[str, str], list[_Block]] = {}
        self.seen = self.kept = 0

    def __enter__(self) -> EventStore:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder)
        except OSError as error:
            raise TaipanError(f"cannot write into {self._folder}: {error.strerror}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, part: SampleEvents, rows: NDArray[Any] | None = None) -> None:
        """Keep all events, or those in `rows`.

        Raises
        ------
        TaipanError
            If the disk is full.
        """
        self.seen += len(part.weights)
        if rows is not None:
            part = part.take(rows)
        if not len(part.weights):
            return
        self.kept += len(part.weights)
        key = (part.sample, part.dataset)
        waiting = self._waiting.setdefault(key, [])
        self._blocks.setdefault(key, [])
        waiting.append(part)
        if sum(len(item.weights) for item in waiting) >= self._size:
            self._write(key)

    def __iter__(self) -> Iterator[SampleEvents]:
        for key in self._blocks:
            self._write(key)
            for block in self._blocks[key]:
                yield self._read(block)

    def _write(self, key: tuple[str, str]) -> None:
        """Write what waits, if anything does."""
        if not self._waiting[key]:
            return
        events = join_samples(self._waiting[key])
        corrected = () if events.uncorrected is None else (events.uncorrected,)
        offset = self._file.seek(0, 2)
        try:
            for values in (
                events.weights,
                events.folds,
                *corrected,
                *events.columns.values(),
                *events.alternatives.values(),
            ):
                np.save(self._file, values, allow_pickle=False)
            self._file.flush()
        except OSError as error:
            reason = error.strerror or str(error)
            raise TaipanError(f"cannot write into {self._folder}: {reason}") from error
        names = tuple(events.columns), tuple(events.alternatives)
        self._blocks[key].append(_Block(offset, *key, *names, bool(corrected)))
        self._waiting[key] = []

    def _read(self, block: _Block) -> SampleEvents:
        self._file.seek(block.offset)

        def load() -> NDArray[Any]:
            return np.asarray(np.load(self._file, allow_pickle=False))

        weights, folds = load(), load()
        uncorrected = load() if block.is_corrected else None
        columns = {name: load() for name in block.columns}
        alternatives = {name: load() for name in block.alternatives}
        return SampleEvents(
            block.sample, columns, weights, alternatives, folds, block.dataset, uncorrected
        )


def store_reach(
    universe: Universe, events: Iterable[SampleEvents], truths: Iterable[Truth], store: EventStore
) -> Iterator[SampleEvents]:
    """Pass events on, and store those that enter a fitted region, or a source, for any truth.

    Most events never come near: leaving them out makes pseudo-experiments several times faster.
    """
    truths = list(truths)
    for part in events:
        near = np.zeros(len(part.weights), dtype=bool)
        for truth in truths:
            near |= universe.selected(part, truth)
        store.add(part, np.flatnonzero(near))
        yield part
