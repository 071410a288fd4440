"""How many deliberate faults the tests see: mutations of the source, and the tests that kill them.

    python benchmarks/mutations.py [--sample] [--only TEXT] [--record FILE [--again]] [--report]

Each mutation of `benchmarks/mutations/*.yaml` replaces one expression or statement of a function.
It is found by module, function and code, not by line: one that is not found, or found more than
once, is an error. The tests that it names run on a private copy of the project, never on the
working tree. One must fail with the mutation, and that one must pass without it.
"""

from __future__ import annotations

import argparse
import ast
import json
import queue
import re
import shlex
import signal
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.mutated_project import Copy, MutationError

ROOT = Path(__file__).parents[1]
LISTS = ROOT / "benchmarks" / "mutations"
RECORD = LISTS / "outcome.json"
"""Outcome of the last campaign; the test that killed a mutation there is tried first."""
BATCH = 10
"""Mutations whose killers are run without them at the same time."""


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
            ast.parse(mutated)
        except SyntaxError as error:
            raise MutationError(f"{place}: {error}") from error
        if _dump(mutation.put) == _dump(mutation.find):
            raise MutationError(f"{place}: changes nothing")
    return mutated


@cache
def _parse(source: str) -> ast.Module:
    return ast.parse(source)


def _dump(code: str) -> str:
    return ast.dump(ast.parse(textwrap.dedent(code)))


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
        for scope in _scopes(_parse(source), mutation.function)
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
        """Run the tests of a mutation with it, until one fails.

        Raises
        ------
        MutationError
            If the tests cannot run with it.
        """
        start = time.perf_counter()
        known = self._killers.get(mutation.name)
        status, killer = "survived", ""
        for selection in (*filter(None, [known]), *mutation.tests):
            answer = self._run_mutated(mutation, selection)
            # one that is known may have another name by now
            if answer["status"] == 0 or (selection == known and answer["status"] != 1):
                continue
            if answer["status"] not in (1, -signal.SIGKILL):
                raise MutationError(
                    f"{mutation.name}: {selection} does not run with it (status "
                    f"{answer['status']}):\n{answer['output']}"
                )
            status = "killed" if answer["status"] == 1 else "undecided"
            killer = answer["failed"] if status == "killed" else ""
            break
        return Outcome(mutation, status, killer, time.perf_counter() - start)

    def verify(self, outcomes: Sequence[Outcome]) -> list[Outcome | MutationError]:
        """Let the tests that killed mutations pass without them, or take an outcome back."""
        new = list({i.killer: None for i in outcomes if i.killer and i.killer not in self._passed})
        if new and self._copy.run(new)["status"] == 0:
            self._passed |= dict.fromkeys(new, True)
        found: list[Outcome | MutationError] = []
        for item in outcomes:
            if item.killer and item.killer not in self._passed:
                self._passed[item.killer] = self._copy.run([item.killer])["status"] == 0
            fails = bool(item.killer) and not self._passed[item.killer]
            text = f"{item.mutation.name}: {item.killer} fails without it, too"
            found.append(MutationError(text) if fails else item)
        return found

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


Record = dict[str, dict[str, str]]
"""Name of a mutation → its ``file``, ``status`` and ``killer``, and why it is ``equivalent``."""


def read_record(path: Path = RECORD) -> Record:
    """Read the outcome of earlier campaigns, if there were any."""
    if not path.exists():
        return {}
    found: Record = json.loads(path.read_text(encoding="utf-8"))
    return found


def run_campaign(
    mutations: Sequence[Mutation], workers: int, known: Record
) -> Iterator[Outcome | MutationError]:
    """Try mutations on copies of the project, and give each outcome when it is there."""
    waiting: queue.SimpleQueue[Mutation] = queue.SimpleQueue()
    for item in mutations:
        waiting.put(item)
    found: queue.SimpleQueue[Outcome | MutationError] = queue.SimpleQueue()
    killers = {name: item["killer"] for name, item in known.items() if item["killer"]}

    def work() -> None:
        with tempfile.TemporaryDirectory(prefix="taipan-mutations-") as folder:
            copy = Copy(Path(folder))
            trial = Trial(copy, killers)
            outcomes: list[Outcome] = []
            while not waiting.empty():
                try:
                    outcomes.append(trial.run(waiting.get_nowait()))
                except queue.Empty:  # the other was quicker
                    break
                except MutationError as error:
                    found.put(error)
                if len(outcomes) >= BATCH:
                    _put_all(found, trial.verify(outcomes))
                    outcomes = []
            _put_all(found, trial.verify(outcomes))
            copy.close()

    for _ in range(min(workers, len(mutations))):
        threading.Thread(target=work, daemon=True).start()
    for _ in mutations:
        yield found.get()


def _put_all(target: queue.SimpleQueue[Any], items: Sequence[Any]) -> None:
    for item in items:
        target.put(item)


def describe(outcome: Outcome) -> dict[str, str]:
    """Give what is recorded of a mutation."""
    item = outcome.mutation
    found = {"file": item.file, "status": outcome.status, "killer": outcome.killer}
    return {**found, "equivalent": item.equivalent} if item.equivalent else found


def summarise(record: Record) -> str:
    """Give the numbers of a record as a table, and what was not killed as a list."""
    lines = [
        "| where | mutations | killed | equivalent | not killed |",
        "|---|---:|---:|---:|---:|",
    ]
    groups = sorted({_group(item["file"]) for item in record.values()})
    for group in (*groups, "all"):
        items = [i for i in record.values() if group in ("all", _group(i["file"]))]
        same = [i for i in items if "equivalent" in i and i["status"] != "killed"]
        killed = [i for i in items if i["status"] == "killed"]
        rest = len(items) - len(killed) - len(same)
        name = group if group == "all" else f"`{group}`"
        lines.append(f"| {name} | {len(items)} | {len(killed)} | {len(same)} | {rest} |")
    lines.append("")
    for name, item in record.items():
        if item["status"] != "killed":
            reason = item.get("equivalent", f"{item['status']}, and not shown to be equivalent")
            lines.append(f"- *{name}* (`{item['file']}`): {reason}")
    return "\n".join(lines)


def _group(file: str) -> str:
    parts = Path(file).parts
    return "/".join(parts[:3] if parts[0] == "src" else parts[:1])


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--sample", action="store_true", help="those that run with every change")
    parser.add_argument("--only", default="", help="those whose name or file has this text")
    parser.add_argument("--again", action="store_true", help="those that were killed, too")
    parser.add_argument("--workers", type=int, default=2, help="copies at work at the same time")
    parser.add_argument("--record", type=Path, help=f"file of outcomes, such as {RECORD.name}")
    parser.add_argument("--report", action="store_true", help="show the record, and run nothing")
    options = parser.parse_args()
    record = read_record(options.record or RECORD)
    if options.report:
        print(summarise(record))
        return 0
    everything = read_mutations()
    done = [] if options.record is None or options.again else record
    mutations = [
        item
        for item in everything
        if (item.sample or not options.sample)
        and options.only in f"{item.name} {item.file}"
        and not (item.name in done and record[item.name]["status"] == "killed")
    ]
    if not mutations:
        parser.error(f"--only {options.only!r}: no mutation has it in its name or file")
    sources = {item.file: (ROOT / item.file).read_text(encoding="utf-8") for item in mutations}
    missing = list_missing(mutations, sources)
    if missing:
        raise SystemExit("\n".join(missing))
    wrong = 0
    for found in run_campaign(mutations, options.workers, record):
        if isinstance(found, MutationError):
            wrong += 1
            print(f"error: {found}", flush=True)
            continue
        name = found.mutation.name
        wrong += found.status != "killed" and not found.mutation.equivalent
        print(f"{found.status:9} {found.seconds:6.1f} s  {name}  [{found.killer}]", flush=True)
        record[name] = describe(found)
        if options.record is not None:
            kept = {i.name: record[i.name] for i in everything if i.name in record}
            text = json.dumps(kept, indent=1, ensure_ascii=False)
            options.record.write_text(text + "\n", encoding="utf-8")
    print(f"{len(mutations)} mutations, {wrong} not killed or in error")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
