"""How many deliberate faults the tests see: mutations of the source, and the tests that kill them.

    python benchmarks/mutations.py [--sample] [--only TEXT] [--workers 2] [--output FILE]

Each mutation of `benchmarks/mutations/*.yaml` replaces one expression or statement of a function.
It is found by module, function and code, not by line: one that is not found, or found more than
once, is an error. The tests that it names run on a private copy of the project, never on the
working tree. One must fail with the mutation, and that one must pass without it.

A server imports the heavy libraries once; each run of the tests is a fork of it. The package itself
is imported anew each time.
"""

from __future__ import annotations

import argparse
import ast
import compileall
import importlib
import json
import os
import py_compile
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
LISTS = ROOT / "benchmarks" / "mutations"
RECORD = LISTS / "outcome.json"
"""Outcome of the last campaign; the test that killed a mutation there is tried first."""
COPIED = ("src", "scripts", "workflow", "config", "tests", "benchmarks", "envs", "profiles")
FILES = ("Snakefile", "pyproject.toml", "requirements.lock", "run", "Containerfile", "README.md")
HEAVY = (
    *("numpy", "scipy.stats", "scipy.optimize", "awkward", "uproot", "hist", "pyarrow.parquet"),
    *("XRootD.client", "pydantic", "yaml", "pyhf", "matplotlib.pyplot", "mplhep", "onnxruntime"),
    *("onnx", "correctionlib", "jax", "tensorflow", "keras", "snakemake.api", "coffea"),
    *("requests", "iminuit", "sklearn.metrics"),
)
LIMIT = 600.0
"""Seconds for the tests of one mutation; one that takes longer is undecided, not killed."""


class MutationError(Exception):
    """A mutation that cannot be made, or tests that prove nothing."""


@dataclass(frozen=True)
class Mutation:
    """A deliberate fault.

    Attributes
    ----------
    name
        What is wrong with it, unique.
    file
        File of the project.
    function
        Qualified name of the function or class, or rule of a file of rules; empty: all of the file.
    find, put
        Code in it, and what replaces it.
    which
        Of several places with the same code, the one meant, from 1; 0: there is only one.
    tests
        Files of tests, or single tests, which should see it; the quickest first.
    sample
        Whether it belongs to the sample that runs with every change.
    equivalent
        Why no test can see it; empty if one must.
    """

    name: str
    file: str
    function: str
    find: str
    put: str
    tests: tuple[str, ...]
    which: int = 0
    sample: bool = False
    equivalent: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a mutation: ``killed``, ``survived`` or ``undecided`` (too slow)."""

    mutation: Mutation
    status: str
    killer: str
    seconds: float


def read_mutations(folder: Path = LISTS) -> list[Mutation]:
    """Read all lists; a list may name the file and tests of those that name none."""
    found: list[Mutation] = []
    for path in sorted(folder.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8")):
            shared = {key: value for key, value in group.items() if key != "mutations"}
            for item in group["mutations"]:
                content = {"function": "", **shared, **item}
                content["tests"] = tuple(shlex.split(content["tests"]))
                found.append(Mutation(**content))
    names = [item.name for item in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MutationError(f"two mutations have the same name: {', '.join(twice)}")
    return found


def mutate(source: str, mutation: Mutation) -> str:
    """Give the source with the mutation.

    Raises
    ------
    MutationError
        If its code is not there, or there more than once, or the result is no program.
    """
    if mutation.file.endswith(".smk"):
        spans, put = _find_text(source, mutation), mutation.put
    else:
        spans, put = _find_code(source, mutation)
    place = f"{mutation.name}: {mutation.file}, {mutation.function or 'module'}: {mutation.find!r}"
    if not spans:
        raise MutationError(f"{place}: not found; the mutation must follow the code")
    if (len(spans) > 1) != (mutation.which > 0) or mutation.which > len(spans):
        raise MutationError(f"{place}: found {len(spans)} times; `which` says the one meant")
    start, stop = spans[max(mutation.which - 1, 0)]
    content = source.encode()
    mutated = (content[:start] + put.encode() + content[stop:]).decode()
    if not mutation.file.endswith(".smk"):
        try:
            changed = ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(source))
        except SyntaxError as error:
            raise MutationError(f"{place}: {error}") from error
        if not changed:
            raise MutationError(f"{place}: changes nothing")
    return mutated


def _find_code(source: str, mutation: Mutation) -> tuple[list[tuple[int, int]], str]:
    """Give the bytes of each place, and the text to put there."""
    (wanted,) = ast.parse(textwrap.dedent(mutation.find)).body
    node: ast.AST = wanted.value if isinstance(wanted, ast.Expr) else wanted
    put = f"({mutation.put})" if isinstance(node, ast.expr) else mutation.put
    target = ast.dump(node)
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    spans = {
        (starts[n.lineno - 1] + n.col_offset, starts[n.end_lineno - 1] + n.end_col_offset)
        for scope in _scopes(ast.parse(source), mutation.function)
        for n in ast.walk(scope)
        if isinstance(n, type(node)) and ast.dump(n) == target
    }
    return sorted(spans), put


def _scopes(tree: ast.AST, function: str) -> Iterator[ast.AST]:
    """Find definitions by qualified name."""
    if not function:
        yield tree
        return
    first, _, rest = function.partition(".")
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == first:
            yield from _scopes(node, rest)
        elif not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.expr):
            yield from _scopes(node, function)


def _find_text(source: str, mutation: Mutation) -> list[tuple[int, int]]:
    """Find text in a rule, whatever the white space."""
    blocks = [(0, len(source))]
    if mutation.function:
        pattern = rf"^rule {re.escape(mutation.function)}:.*?(?=^\S|\Z)"
        blocks = [m.span() for m in re.finditer(pattern, source, re.MULTILINE | re.DOTALL)]
    wanted = r"\s+".join(map(re.escape, mutation.find.split()))
    return [
        tuple(len(source[: start + place].encode()) for place in match.span())
        for start, stop in blocks
        for match in re.finditer(wanted, source[start:stop])
    ]


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
        compileall.compile_dir(self.path / "src", quiet=1, invalidation_mode=mode)
        self._log = (folder / "server.log").open("w")
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--serve", str(self.path)],
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


class Trial:
    """Tries mutations on a copy of the project.

    Parameters
    ----------
    copy
        Where the tests run.
    killers
        Name of a mutation → the test that killed it before, which is tried first.
    """

    def __init__(self, copy: Copy, killers: Mapping[str, str]) -> None:
        self._copy, self._killers = copy, killers
        self._passed: dict[str, bool] = {}

    def run(self, mutation: Mutation) -> Outcome:
        """Run the tests of a mutation with it, until one fails that passes without it.

        Raises
        ------
        MutationError
            If a test fails without the mutation, too, or the tests cannot run with it.
        """
        start = time.perf_counter()
        known = self._killers.get(mutation.name)
        status, killer = "survived", ""
        for selection in (*filter(None, [known]), *mutation.tests):
            answer = self._run_mutated(mutation, selection)
            # one that is known may have another name by now
            if answer["status"] == 0 or (selection == known and answer["status"] != 1):
                continue
            if answer["status"] == -signal.SIGKILL:
                status = "undecided"
                break
            if answer["status"] != 1:
                raise MutationError(
                    f"{mutation.name}: {selection} does not run with it (status "
                    f"{answer['status']}):\n{answer['output']}"
                )
            if not self._passes(answer["failed"]):
                raise MutationError(f"{mutation.name}: {answer['failed']} fails without it, too")
            status, killer = "killed", answer["failed"]
            break
        return Outcome(mutation, status, killer, time.perf_counter() - start)

    def _passes(self, test: str) -> bool:
        """Tell whether a test passes without a mutation; each is run once."""
        if test not in self._passed:
            self._passed[test] = self._copy.run((test,))["status"] == 0
        return self._passed[test]

    def _run_mutated(self, mutation: Mutation, selection: str) -> dict[str, Any]:
        path = self._copy.path / mutation.file
        source = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutate(source, mutation), encoding="utf-8")
            return self._copy.run((selection,))
        finally:
            path.write_text(source, encoding="utf-8")


def list_missing(mutations: Sequence[Mutation], sources: Mapping[str, str]) -> list[str]:
    """Say which mutations cannot be made of the sources, by file."""
    found = []
    for item in mutations:
        try:
            mutate(sources[item.file], item)
        except MutationError as error:
            found.append(str(error))
    return found


def run_campaign(
    mutations: Sequence[Mutation], workers: int, output: Path | None, killers: Mapping[str, str]
) -> int:
    """Try all mutations, write what became of them, and give the number of those not killed."""
    sources = {item.file: (ROOT / item.file).read_text(encoding="utf-8") for item in mutations}
    missing = list_missing(mutations, sources)  # before minutes are spent
    if missing:
        raise MutationError("\n".join(missing))
    # mutations with the same tests go to the same worker, which needs to pass them once
    order = sorted(mutations, key=lambda item: item.tests)
    share = -(-len(order) // workers)
    outcomes: list[Outcome] = []
    errors: list[str] = []

    def work(part: Sequence[Mutation]) -> None:
        with tempfile.TemporaryDirectory(prefix="taipan-mutations-") as folder:
            copy = Copy(Path(folder))
            trial = Trial(copy, killers)
            for mutation in part:
                try:
                    found = trial.run(mutation)
                except MutationError as error:
                    errors.append(str(error))
                    print(f"error: {error}", flush=True)
                    continue
                outcomes.append(found)
                line = f"{found.status:9} {found.seconds:6.1f} s  {mutation.name}  [{found.killer}]"
                print(line, flush=True)
            copy.close()

    parts = [order[i * share : (i + 1) * share] for i in range(workers)]
    threads = [threading.Thread(target=work, args=(part,)) for part in parts if part]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    place = {item.name: i for i, item in enumerate(mutations)}
    outcomes.sort(key=lambda item: place[item.mutation.name])
    record = summarise(outcomes, errors)
    if output is not None:
        output.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(
        f"{record['mutations']} mutations: {record['killed']} killed, "
        f"{len(record['survivors'])} not, {len(record['equivalent'])} equivalent; "
        f"{len(errors)} errors"
    )
    return len(record["survivors"]) + len(errors)


def summarise(outcomes: Sequence[Outcome], errors: Sequence[str]) -> dict[str, Any]:
    """Give the numbers and lists of a campaign as plain values."""
    counted = [item for item in outcomes if not item.mutation.equivalent]
    killed = [item for item in counted if item.status == "killed"]
    return {
        "mutations": len(outcomes),
        "killed": len(killed),
        "survivors": [i.mutation.name for i in counted if i.status != "killed"],
        "equivalent": {
            i.mutation.name: i.mutation.equivalent for i in outcomes if i.mutation.equivalent
        },
        "refuted": [i.mutation.name for i in outcomes if i.mutation.equivalent and i.killer],
        "errors": list(errors),
        "by_file": {
            file: [
                sum(i.mutation.file == file for i in killed),
                sum(i.mutation.file == file for i in outcomes),
            ]
            for file in sorted({i.mutation.file for i in outcomes})
        },
        "killers": {i.mutation.name: i.killer for i in killed},
    }


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--sample", action="store_true", help="those that run with every change")
    parser.add_argument("--only", default="", help="those whose name or file has this text")
    parser.add_argument("--workers", type=int, default=2, help="copies at work at the same time")
    parser.add_argument("--output", type=Path, help="JSON file of the outcome")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.serve)
        return 0
    mutations = [
        item
        for item in read_mutations()
        if (item.sample or not options.sample) and options.only in f"{item.name} {item.file}"
    ]
    if not mutations:
        parser.error(f"--only {options.only!r}: no mutation has it in its name or file")
    killers = json.loads(RECORD.read_text(encoding="utf-8"))["killers"] if RECORD.exists() else {}
    return int(run_campaign(mutations, options.workers, options.output, killers) > 0)


if __name__ == "__main__":
    sys.exit(main())
