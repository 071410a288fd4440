"""The campaign of mutations: its lists fit the source, and its verdicts are honest."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from benchmarks.mutations import (
    LISTS,
    ROOT,
    Mutation,
    MutationError,
    Outcome,
    Trial,
    describe,
    list_missing,
    mutate,
    read_mutations,
    read_record,
    summarise,
)

SOURCE = """
def first(x):
    return x > 1  # é


class Thing:
    def first(self, x):
        if x > 1:
            x += 2
        return [x > 1, x]
"""
RULES = """
rule one:
    params:
        seed=derive_seed(SEED,
            "one"),


rule two:
    params:
        seed=derive_seed(SEED, "one"),
"""
SEEN_LATE = {
    "score is not updated after a shift",
    "probability of the signal in place of the ratio",
    "selection of a fold does not rescale",
    "dropped fold is ignored",
    "factor on the squares of weights is inverted",
    "blinded data are listed",
    "vertex weights without cross sections",
    "training has a constant seed",
    "tau charge is not asked for",
    "shift of three prongs moves one prong",
    "every jet has the same smearing",
    "weights of the smoothing are inverted",
    "overflow of the residual is lost",
    "variance grows with the square of the luminosity",
    "events are not resampled",
    "tolerance of the comparison is ten times larger",
}
"""Faults that all tests once passed."""


def mutation(find: str, put: str, function: str = "", **more: Any) -> Mutation:
    return Mutation("m", more.pop("file", "m.py"), function, find, put, ("t.py",), **more)


def test_every_mutation_is_found_in_the_source_and_names_tests_that_exist() -> None:
    mutations = read_mutations()
    sources = {item.file: (ROOT / item.file).read_text(encoding="utf-8") for item in mutations}
    assert list_missing(mutations, sources) == []
    tests = {word for item in mutations for word in item.tests if word.startswith("tests/")}
    assert [name for name in sorted(tests) if not (ROOT / name.split("::")[0]).exists()] == []
    assert len([item for item in mutations if not item.equivalent]) >= 150
    assert {item.name for item in mutations} >= SEEN_LATE


def test_sample_is_small_and_of_every_list() -> None:
    mutations = read_mutations()
    sample = [item for item in mutations if item.sample]
    assert 8 <= len(sample) <= 16
    assert not any("tests/workflow" in word for item in sample for word in item.tests)
    assert len(list(LISTS.glob("*.yaml"))) >= 3


def test_code_is_found_in_its_function_wherever_that_stands() -> None:
    found = mutate(SOURCE, mutation("x > 1", "x >= 1", "first"))
    assert found == SOURCE.replace("return x > 1  #", "return (x >= 1)  #")
    moved = "# new\n\n" + SOURCE.replace("x > 1", "x>1")
    assert "return (x >= 1)" in mutate(moved, mutation("x > 1", "x >= 1", "first"))
    found = mutate(SOURCE, mutation("x += 2", "pass", "Thing.first"))
    assert found == SOURCE.replace("x += 2", "pass")
    found = mutate(SOURCE, mutation("x > 1", "True", "Thing.first", which=2))
    assert found == SOURCE.replace("[x > 1, x]", "[(True), x]")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"find": "x > 2"}, "m.py, first: 'x > 2': not found"),
        ({"function": "second"}, "not found; the mutation must follow the code"),
        ({"function": "Thing.first"}, "found 2 times; `which` says the one meant"),
        ({"function": ""}, "found 3 times"),
        ({"which": 2}, "found 1 times"),
        ({"put": "x > 1"}, "changes nothing"),
        ({"put": "x >"}, "invalid syntax"),
    ],
)
def test_mutation_that_is_not_what_it_says_is_an_error(
    changed: dict[str, Any], message: str
) -> None:
    item = mutation(**{"find": "x > 1", "put": "x < 1", "function": "first", **changed})
    with pytest.raises(MutationError, match=message.replace("(", r"\(")):
        mutate(SOURCE, item)
    assert list_missing([item], {"m.py": SOURCE}) != []


def test_rules_are_found_by_name_whatever_the_white_space() -> None:
    item = mutation('derive_seed(SEED, "one")', "1", "one", file="m.smk")
    found = mutate(RULES, item)
    assert found.count("seed=1,") == 1
    assert found.index("seed=1,") < found.index("rule two")
    with pytest.raises(MutationError, match="not found"):
        mutate(RULES, mutation('derive_seed(SEED, "two")', "1", "one", file="m.smk"))


class StandIn:
    """Answers for the copy of the project: statuses of its runs, one after the other."""

    last_output = "why"

    def __init__(self, path: Path, statuses: Sequence[int]) -> None:
        self.path, self._statuses = path, list(statuses)
        self.seen: list[tuple[str, ...]] = []
        (path / "m.py").write_text(SOURCE, encoding="utf-8")

    def run(self, tests: Sequence[str]) -> dict[str, Any]:
        self.seen.append((self.source, *tests))
        status = self._statuses.pop(0)
        return {"status": status, "failed": "t.py::a" if status == 1 else "", "output": "why"}

    @property
    def source(self) -> str:
        return (self.path / "m.py").read_text(encoding="utf-8")


ITEM = mutation("x > 1", "x < 1", "first")
MUTATED = mutate(SOURCE, ITEM)


@pytest.mark.parametrize(
    ("statuses", "verdict", "runs"),
    [
        ([1, 0], "killed", [(MUTATED, "t.py"), (SOURCE, "t.py::a")]),
        ([0], "survived", [(MUTATED, "t.py")]),
        ([-signal.SIGKILL], "undecided", [(MUTATED, "t.py")]),
    ],
)
def test_killer_fails_with_the_mutation_and_passes_without(
    tmp_path: Path, statuses: list[int], verdict: str, runs: list[tuple[str, str]]
) -> None:
    copy: Any = StandIn(tmp_path, statuses)
    trial = Trial(copy, {})
    (found,) = trial.verify([trial.run(ITEM)])
    assert isinstance(found, Outcome)
    assert found.status == verdict
    assert found.killer == ("t.py::a" if verdict == "killed" else "")
    assert copy.seen == runs
    assert copy.source == SOURCE


@pytest.mark.parametrize(
    ("statuses", "runs"),
    [
        ([1], [(MUTATED, "k")]),
        # it kills no more, or does not exist: all tests are tried
        ([0, 1], [(MUTATED, "k"), (MUTATED, "t.py")]),
        ([4, 1], [(MUTATED, "k"), (MUTATED, "t.py")]),
    ],
)
def test_killer_of_the_last_campaign_is_tried_first(
    tmp_path: Path, statuses: list[int], runs: list[tuple[str, str]]
) -> None:
    copy: Any = StandIn(tmp_path, statuses)
    assert Trial(copy, {"m": "k"}).run(ITEM).status == "killed"
    assert copy.seen == runs


def test_killers_are_run_without_mutation_together_and_once(tmp_path: Path) -> None:
    """Where one fails, each is run alone to find it."""
    outcomes = [Outcome(ITEM, "killed", name, 1.0) for name in ("a", "b", "a")]
    copy: Any = StandIn(tmp_path, [0])
    trial = Trial(copy, {})
    assert trial.verify(outcomes) == trial.verify(outcomes) == outcomes
    assert copy.seen == [(SOURCE, "a", "b")]
    copy = StandIn(tmp_path, [1, 0, 1])
    one, two, three = Trial(copy, {}).verify(outcomes)
    assert copy.seen == [(SOURCE, "a", "b"), (SOURCE, "a"), (SOURCE, "b")]
    assert one == three == outcomes[0]
    assert str(two) == "m: b fails without it, too"


@pytest.mark.parametrize(
    "status",
    [
        2,  # interrupted: a module cannot be imported
        5,  # no test was found
    ],
)
def test_tests_that_cannot_run_kill_nothing(tmp_path: Path, status: int) -> None:
    copy: Any = StandIn(tmp_path, [status])
    with pytest.raises(MutationError, match=rf"does not run with it \(status {status}\)"):
        Trial(copy, {}).run(ITEM)
    assert copy.source == SOURCE


def test_summary_counts_what_was_not_killed() -> None:
    items = [
        ("a", "killed", ""),
        ("b", "survived", ""),
        ("c", "undecided", ""),
        ("d", "survived", "the same number"),
        ("e", "killed", "claimed to be the same"),
    ]
    record = {}
    for name, status, reason in items:
        file = f"src/taipan/x/{name}.py" if name < "d" else "scripts/y.py"
        item = Mutation(name, file, "", "x", "y", ("t",), equivalent=reason)
        killer = "t::k" if status == "killed" else ""
        record[name] = describe(Outcome(item, status, killer, 1.0))
    assert summarise(record).splitlines()[2:] == [
        "| `scripts` | 2 | 1 | 1 | 0 |",
        "| `src/taipan/x` | 3 | 1 | 0 | 2 |",
        "| all | 5 | 2 | 1 | 2 |",
        "",
        "- *b* (`src/taipan/x/b.py`): survived, and not shown to be equivalent",
        "- *c* (`src/taipan/x/c.py`): undecided, and not shown to be equivalent",
        "- *d* (`scripts/y.py`): the same number",
    ]


def test_record_is_of_these_mutations_and_nearly_all_are_killed() -> None:
    """At least 97 %, the rest equivalent; the page that shows the record is up to date."""
    mutations, record = read_mutations(), read_record()
    assert list(record) == [item.name for item in mutations]
    counted = [record[item.name] for item in mutations if not item.equivalent]
    killed = [item for item in counted if item["status"] == "killed"]
    assert len(killed) >= 0.97 * len(counted)
    assert {record[name]["status"] for name in SEEN_LATE} == {"killed"}
    refuted = [i.name for i in mutations if i.equivalent and record[i.name]["status"] == "killed"]
    assert refuted == []
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    assert summarise(record) in text
