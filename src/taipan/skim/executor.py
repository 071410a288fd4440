"""Where chunks are skimmed: in this process, in several, or on a Dask cluster.

The files that come out are the same: a chunk is skimmed by the same function, whose output depends
on nothing but the chunk, and the outputs are kept apart until they are read in the order of the
chunks.
"""

from __future__ import annotations

import logging
import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

from taipan.atomic import replacing
from taipan.code_version import code_version
from taipan.errors import TaipanError
from taipan.skim.task import SkimTask, run_task

logger = logging.getLogger(__name__)

Outputs = tuple[Path, Path] | tuple[Path, Path, Path]
"""Parquet file of the events, JSON file of the cutflow, and the list of all events if wanted."""
_CONNECT_SECONDS = 30


def run_local(tasks: Sequence[SkimTask], outputs: Sequence[Outputs], processes: int = 1) -> None:
    """Skim chunks in this process or in several.

    Parameters
    ----------
    tasks, outputs
        Chunks, and where the output of each goes.
    processes
        Number of processes.

    Raises
    ------
    TaipanError
        Of the first chunk that fails, in the order given, or if a process is killed.
    """
    if processes == 1 or len(tasks) == 1:
        for task, paths in zip(tasks, outputs, strict=True):
            run_task(task, *paths)
        return
    # a forked child would inherit the threads of uproot and Arrow in an unknown state
    context = multiprocessing.get_context("spawn")
    workers = min(processes, len(tasks))
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = [
            pool.submit(run_task, task, *paths) for task, paths in zip(tasks, outputs, strict=True)
        ]
        try:
            for done, future in enumerate(futures, start=1):
                future.result()
                logger.info("chunk %d of %d done", done, len(tasks))
        except BrokenProcessPool as error:
            raise TaipanError("a skim process was killed; is there enough memory?") from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def run_dask(tasks: Sequence[SkimTask], outputs: Sequence[Outputs], scheduler: str) -> None:
    """Skim chunks on a Dask cluster, through coffea's executor.

    The workers send back the finished files, so that they need not see the folder of the results;
    they do need to see the input and have this version of the package.

    Parameters
    ----------
    tasks, outputs
        Chunks, and where the output of each goes.
    scheduler
        Address of the scheduler.

    Raises
    ------
    TaipanError
        If the scheduler cannot be reached, a worker has other code, or chunks fail (one line a
        chunk); no output is written then.
    """
    from coffea.processor import DaskExecutor
    from distributed import Client

    code = _code_of(tasks)
    try:
        client: Any = Client(  # type: ignore[no-untyped-call]
            scheduler, timeout=_CONNECT_SECONDS, set_as_default=False
        )
    except (OSError, ValueError) as error:
        raise TaipanError(f"skim.dask_scheduler: {scheduler} cannot be reached: {error}") from error
    with client:
        logger.info("%d chunks to %d workers", len(tasks), len(client.scheduler_info()["workers"]))
        executor = DaskExecutor(client=client, status=False)
        results, _ = executor(list(enumerate(tasks)), partial(_skim_remotely, code=code), {})
    errors = [text for _, text in sorted(results.items()) if isinstance(text, str)]
    if errors:
        raise TaipanError("\n".join(dict.fromkeys(errors)))
    for index, targets in enumerate(outputs):
        for target, content in zip(targets, results[index], strict=False):
            with replacing(target) as temporary:
                temporary.write_bytes(content)


def _code_of(tasks: Sequence[SkimTask]) -> str:
    (folder,) = {task.folder for task in tasks}
    return code_version("taipan.skim.executor", analysis=folder)


def _skim_remotely(item: tuple[int, SkimTask], code: str) -> dict[int, Any]:
    """Skim a chunk on a worker; returns its files, or the text of an error that has no cure."""
    index, task = item
    try:
        if _code_of([task]) != code:
            raise TaipanError("a Dask worker has another version of the code; restart the workers")
        with tempfile.TemporaryDirectory() as folder:
            names = ("events.parquet", "cutflow.json", "identities.parquet")
            events, cutflow, identities = (Path(folder) / name for name in names)
            run_task(task, events, cutflow, identities)
            return {index: tuple(p.read_bytes() for p in (events, cutflow, identities))}
    except TaipanError as error:
        return {index: str(error)}
