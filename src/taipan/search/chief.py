"""The chief of a search: hands trials out and looks after the workers.

keras-tuner's protocol between chief and workers, with a loop of its own around it: keras-tuner's
waits without end for a worker that died. Imports keras-tuner.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from taipan.atomic import write_json
from taipan.errors import TaipanError
from taipan.search.job import CHIEF, PARENT, Search
from taipan.search.tuner_internals import place_oracle, serve_oracle

logger = logging.getLogger(__name__)

_POLL = 0.2  # s between looks at the workers
_SILENCE = 300.0  # s without a sign of life after which a worker elsewhere counts as dead
_CRASHES = 3  # of a worker, after which the search is given up
_LOG_TAIL = 2000  # characters


def run_alone(search: Search, threads: int) -> Any:
    """Run all trials in this process.

    Parameters
    ----------
    search
        The search, written to its folder.
    threads
        Threads of TensorFlow.

    Returns
    -------
    keras_tuner.Oracle
        The oracle with all trials.
    """
    with warnings.catch_warnings():
        _ignore_warnings()
        from taipan.nn.engine import prepare_tensorflow
        from taipan.search.worker import make_tuner

        prepare_tensorflow(threads)
        oracle = _open_oracle(search)
        make_tuner(search, oracle).search()
    return oracle


def run_workers(search: Search, workers: int, threads: int) -> Any:
    """Run all trials in worker processes.

    Workers on other machines that see the folder may join:
    ``python -m taipan.search.worker FOLDER``.

    Parameters
    ----------
    search
        The search, written to its folder.
    workers
        Processes to start here.
    threads
        Threads of each.

    Returns
    -------
    keras_tuner.Oracle
        The oracle with all trials.

    Raises
    ------
    TaipanError
        If workers keep dying; shows the end of the log of one.
    """
    crew = Crew(search.folder, threads, search.tuning.address, _free_port(search.tuning.address))
    try:
        for _ in range(workers):
            crew.start()  # before the imports here, which take as long as theirs
        with warnings.catch_warnings():
            _ignore_warnings()
            import grpc

            oracle = _open_oracle(search)
            server = grpc.server(ThreadPoolExecutor(max_workers=1))
            serve_oracle(oracle, server)
            server.add_insecure_port(f"{crew.address}:{crew.port}")
            server.start()
            host = socket.gethostname() if crew.address == "0.0.0.0" else crew.address
            write_json(search.folder / CHIEF, {"address": host, "port": crew.port})
            try:
                while crew.look_after(oracle) or oracle.ongoing_trials:
                    time.sleep(_POLL)
            finally:
                (search.folder / CHIEF).unlink(missing_ok=True)
                server.stop(grace=1.0).wait()
    finally:
        crew.stop()
    return oracle


def _open_oracle(search: Search) -> Any:
    from taipan.search.oracle import make_oracle
    from taipan.search.space import from_training

    tuning = search.tuning
    first = from_training(search.training, tuning.space, search.events.names)
    if not first:
        logger.info("the values of the configuration are outside tuning.space and are not tried")
    oracle = make_oracle(tuning, search.training, search.seed, first)
    place_oracle(oracle, search.folder)
    oracle.reload()
    return oracle


def _ignore_warnings() -> None:
    """Ignore what cannot be mended here."""
    warnings.simplefilter("ignore", DeprecationWarning)  # keras-tuner asks for currentThread
    # of the Gaussian process, whose length scales may come to lie at their bounds
    warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")


def _free_port(address: str) -> int:
    try:
        with socket.create_server((address, 0)) as server:
            return int(server.getsockname()[1])
    except OSError as error:
        raise TaipanError(f"tuning.address: cannot listen at '{address}': {error}") from error


@dataclass
class Crew:
    """Worker processes on this machine."""

    folder: Path
    threads: int
    address: str
    port: int
    _running: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = field(default_factory=dict)
    _started: int = 0
    _crashes: int = 0

    def start(self) -> None:
        """Start a worker."""
        name = f"worker{self._started}"
        self._started += 1
        path = self._log(name)
        path.parent.mkdir(exist_ok=True)
        log = path.open("wb")
        environment = {
            **os.environ,
            "KERASTUNER_TUNER_ID": name,
            "KERASTUNER_ORACLE_IP": "127.0.0.1" if self.address == "0.0.0.0" else self.address,
            "KERASTUNER_ORACLE_PORT": str(self.port),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONSAFEPATH": "1",  # `-m` would look in the working directory first
            PARENT: str(os.getpid()),
        }
        command = [sys.executable, "-m", "taipan.search.worker", str(self.folder)]
        process = subprocess.Popen(
            [*command, str(self.threads)], env=environment, stdout=log, stderr=log
        )
        self._running[name] = (process, log)

    def look_after(self, oracle: Any) -> int:
        """Replace workers that died and give their trials back; tell how many are at work.

        Raises
        ------
        TaipanError
            If one dies for the third time.
        """
        for name, (process, log) in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            log.close()
            del self._running[name]
            if code == 0:
                continue
            trial = oracle.give_up(name)
            self._crashes += 1
            logger.warning(
                "%s died (status %d)%s", name, code, f" in trial {trial}" if trial else ""
            )
            if self._crashes > _CRASHES:
                text = self._log(name).read_text(encoding="utf-8", errors="replace")
                raise TaipanError(f"tuning: workers keep dying; {name} said:\n{text[-_LOG_TAIL:]}")
            self.start()
        self._give_up_silent(oracle)
        return len(self._running)

    def _give_up_silent(self, oracle: Any) -> None:
        """Give the trials of workers elsewhere back that show no sign of life."""
        for name in [name for name in list(oracle.ongoing_trials) if name not in self._running]:
            path = self.folder / "alive" / name
            if path.exists() and time.time() - path.stat().st_mtime > _SILENCE:
                logger.warning("%s is silent; trial %s is given back", name, oracle.give_up(name))
                path.unlink(missing_ok=True)

    def stop(self) -> None:
        """End all workers."""
        for process, log in self._running.values():
            process.kill()
            process.wait()
            log.close()
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"
