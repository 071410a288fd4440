"""The chief of a search: hands trials out and looks after the workers.

keras-tuner's protocol between chief and workers, with a loop of its own around it: keras-tuner's
waits without end for a worker that died. Imports keras-tuner.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from taipan.atomic import write_json
from taipan.errors import TaipanError
from taipan.search.job import CHIEF, Search, name_tuners, name_worker
from taipan.search.process import end_of_log, start_process
from taipan.search.tuner_internals import place_oracle, serve_oracle

logger = logging.getLogger(__name__)

_POLL = 0.2  # s between looks at the workers
_SILENCE = 300.0  # s without a sign of life after which a worker elsewhere counts as dead
_CRASHES = 3  # of a worker, after which the search is given up


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
    """Run all trials in a worker process, which imports TensorFlow once for all of them.

    Workers on other machines that see the folder may join:
    ``python -m taipan.search.worker FOLDER``.

    Parameters
    ----------
    search
        The search, written to its folder.
    workers
        Trials at the same time.
    threads
        Threads of TensorFlow that they share.

    Returns
    -------
    keras_tuner.Oracle
        The oracle with all trials.

    Raises
    ------
    TaipanError
        If the worker keeps dying; shows the end of its log.
    """
    address = search.tuning.address
    crew = Crew(search.folder, threads, workers, address, _free_port(address))
    try:
        crew.start()  # before the imports here, which take as long as its own
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
    """The worker process on this machine, and those that replaced it."""

    folder: Path
    threads: int
    tuners: int
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
        variables = {
            "KERASTUNER_TUNER_ID": name,
            "KERASTUNER_ORACLE_IP": "127.0.0.1" if self.address == "0.0.0.0" else self.address,
            "KERASTUNER_ORACLE_PORT": str(self.port),
        }
        words = [str(self.folder), str(self.threads), str(self.tuners)]
        process = start_process("taipan.search.worker", words, log, variables)
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
            given_back = [oracle.give_up(tuner) for tuner in name_tuners(name, self.tuners)]
            trials = ", ".join(f"trial {trial}" for trial in given_back if trial)
            self._crashes += 1
            logger.warning("%s died (status %d)%s", name, code, f" in {trials}" if trials else "")
            if self._crashes > _CRASHES:
                text = end_of_log(self._log(name))
                raise TaipanError(f"tuning: workers keep dying; {name} said:\n{text}")
            self.start()
        self._give_up_silent(oracle)
        return len(self._running)

    def _give_up_silent(self, oracle: Any) -> None:
        """Give the trials of workers elsewhere back that show no sign of life."""
        for name in list(oracle.ongoing_trials):
            if name_worker(name) in self._running:
                continue
            path = self.folder / "alive" / name_worker(name)
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
