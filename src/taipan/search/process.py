"""Processes that train for a search: the one that looks after them needs no TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

PARENT = "TAIPAN_SEARCH_PARENT"  # process id without which such a process has nothing to do
BACKEND = "KERAS_BACKEND"  # variable that Keras reads when it is imported
_LOG_TAIL = 2000  # characters


def spare_tensorflow() -> None:
    """Let Keras, which keras-tuner imports, do without TensorFlow in this process.

    It takes half of the memory then, and no network can be trained. Nothing changes where Keras is
    imported already.
    """
    if "keras" not in sys.modules:
        os.environ[BACKEND] = "numpy"


def start_process(
    module: str, words: Sequence[str], log: IO[bytes], variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a module of this package in a process that may train.

    Parameters
    ----------
    module
        Name of the module; it calls :func:`follow_parent`.
    words
        Its arguments.
    log
        File for all that it prints.
    variables
        Its own variables of the environment.
    """
    environment = {
        **os.environ,
        **variables,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONSAFEPATH": "1",  # `-m` would look in the working directory first
        BACKEND: "tensorflow",
        PARENT: str(os.getpid()),
    }
    command = [sys.executable, "-m", module, *words]
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def follow_parent() -> None:
    """End this process when the one that started it has ended."""
    if parent := os.environ.get(PARENT):
        threading.Thread(target=_follow, args=(int(parent),), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def end_of_log(path: Path) -> str:
    """Give the last lines of the log of a process."""
    return path.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]
