"""A private copy of the project in which tests run quickly, for `benchmarks/mutations.py`.

A server imports the heavy libraries once; each run of the tests is a fork of it. The package itself
is imported anew each time.
"""

from __future__ import annotations

import compileall
import gc
import importlib
import json
import os
import py_compile
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COPIED = ("src", "scripts", "workflow", "config", "tests", "benchmarks", "docs", "envs", "profiles")
FILES = ("Snakefile", "pyproject.toml", "requirements.lock", "run", "Containerfile", "README.md")
HEAVY = (
    *("numpy", "scipy.stats", "scipy.optimize", "awkward", "uproot", "hist", "pydantic", "yaml"),
    *("pyarrow.parquet", "pyarrow.compute", "XRootD.client", "pyhf", "matplotlib.pyplot"),
    *("mplhep", "onnxruntime", "onnx", "correctionlib", "jax", "tensorflow", "keras"),
    *("snakemake.api", "coffea", "requests", "iminuit", "sklearn.metrics"),
)
LIMIT = 600.0
"""Seconds for the tests of one mutation; one that takes longer is undecided, not killed."""


class MutationError(Exception):
    """A mutation that cannot be made, or tests that prove nothing."""


class Copy:
    """A private copy of the project, in which a server runs tests."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "project"
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(ROOT / name, self.path / name, ignore=ignored)
        for name in FILES:
            shutil.copy2(ROOT / name, self.path / name)
        # compared by content: of two versions made within a second, Python would take the old one
        mode = py_compile.PycInvalidationMode.CHECKED_HASH
        for name in ("src", "config"):
            compileall.compile_dir(self.path / name, quiet=1, invalidation_mode=mode)
        self._log = (folder / "server.log").open("w")
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), str(self.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            env={**os.environ, "PYTHONPATH": str(self.path / "src"), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip

    def run(self, tests: Sequence[str]) -> dict[str, Any]:
        """Run tests in a fork of the server."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(list(tests)) + "\n")
        self._server.stdin.flush()
        line = self._server.stdout.readline()
        if not line:
            raise MutationError(f"the server ended; see {self._log.name}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()
        self._log.close()


def serve(project: Path) -> None:
    """Answer each line, the arguments of pytest, with what became of the tests."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.chdir(project)
    sys.path[:] = [str(project), *(p for p in sys.path if p != str(Path(__file__).parent))]
    for name in HEAVY:
        importlib.import_module(name)
    assert "taipan" not in sys.modules
    gc.collect()
    gc.freeze()  # what is there stays; no fork looks through it
    for line in sys.stdin:
        with tempfile.TemporaryDirectory(prefix="taipan-mutation-") as folder:
            child = os.fork()
            if child == 0:
                _run_tests(json.loads(line), Path(folder))
            answer = _wait(child, Path(folder))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _wait(child: int, folder: Path) -> dict[str, Any]:
    deadline = time.monotonic() + LIMIT
    while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    failed = folder / "failed"
    return {
        "status": status,
        "failed": failed.read_text(encoding="utf-8") if failed.exists() else "",
        "output": (folder / "output").read_text(encoding="utf-8", errors="replace")[-1500:],
    }


def _run_tests(arguments: Sequence[str], folder: Path) -> None:
    """Run pytest in this process, and end it."""
    status = 70
    try:
        os.setpgid(0, 0)
        output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.dont_write_bytecode = True

        import pytest

        class Recorder:
            def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
                if report.failed and not (folder / "failed").exists():
                    (folder / "failed").write_text(report.nodeid, encoding="utf-8")

        own = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--assert=plain"]
        own.append(f"--basetemp={folder / 'base'}")
        status = int(pytest.main([*own, *arguments], plugins=[Recorder()]))
    except BaseException:  # the child must never go on as a server
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
