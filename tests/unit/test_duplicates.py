"""An event counts once: in a file, across chunks and files, and across datasets of data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot

from taipan.atomic import read_json
from taipan.cli.main import main
from taipan.errors import TaipanError
from taipan.normalisation import normalise
from taipan.remote.fetch import Expected
from taipan.skim import duplicates
from taipan.skim.cutflow import Cutflow
from taipan.skim.duplicates import ChunkList, Duplicates, Repeats, find_duplicates
from taipan.skim.first import write_first
from taipan.skim.identities import (
    Identities,
    IdentityWriter,
    count_identities,
    number_rows,
    read_identities,
)
from taipan.skim.parts import GeneratedSums, Part, sum_generated
from taipan.skim.run import Chunk, skim_chunk
from taipan.skim.source import skim_verified
from taipan.stages import normalise as stage
from tests.conftest import fastsim_settings, skim_settings
from tests.htautau import ANALYSIS
from tests.nanoaod_files import rewrite
from tests.unit.test_normalisation import catalogue, flow

Columns = dict[str, Any]
BOTH = ["Run2012B_TauPlusX", "Run2012C_TauPlusX"]


@pytest.fixture(scope="module")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from taipan.fastsim import write_dataset

    path = tmp_path_factory.mktemp("data") / "Run2012B.root"
    write_dataset("Run2012B_TauPlusX", path, fastsim_settings(luminosity=0.05), seed=5)
    return path


def repeat(rows: slice) -> Callable[[Columns], None]:
    """Append some of the events again, as `hadd` of overlapping files does."""

    def change(columns: Columns) -> None:
        for name, values in columns.items():
            columns[name] = ak.concatenate([values, values[rows]])

    return change


def keep(rows: slice) -> Callable[[Columns], None]:
    def change(columns: Columns) -> None:
        for name, values in columns.items():
            columns[name] = values[rows]

    return change


def write_flat(path: Path, number: int, again: int = 0, seed: int = 3) -> None:
    """Write a flat ntuple of `number` events, and the first `again` of them once more."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([np.arange(number), np.arange(again)])
    columns = {
        name: rng.uniform(20.0, 90.0, number).astype(np.float32)[rows]
        for name in ANALYSIS.flat_branches
    }
    for name in ("run", "npv", "njets", "q_1", "q_2", "dm_2"):
        columns[name] = np.ones(len(rows), np.int32)
    columns["njets"] = columns["njets"] + np.int32(1)
    columns["gen_match"] = np.ones(len(rows), bool)
    with uproot.recreate(path) as file:
        file["Events"] = columns


def skim(folder: Path, *files: Path, choice: str = "fail", more: str = "", flat: str = "") -> int:
    overlay = folder / f"{choice}.yaml"
    overlay.write_text(f"skim: {{duplicates: {choice}{more}}}\n", encoding="utf-8")
    options = ["--config", str(overlay), "--cutflow", str(folder / "flow.json")]
    options += ["--out", str(folder / "out.parquet"), *flat.split()]
    return main(["skim", *map(str, files), *options])


@pytest.mark.parametrize("kind", ["simulation", "data", "flat"])
@pytest.mark.parametrize("size", ["", ", chunk_events: 700, step_events: 300"])
def test_event_that_occurs_twice_in_a_file_is_refused_or_kept_once(
    root_file: Path,
    data_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    size: str,
) -> None:
    """It once counted twice, in one chunk or in two."""
    whole, twice = tmp_path / "whole.root", tmp_path / "twice.root"
    if kind == "flat":
        write_flat(whole, 2000)
        write_flat(twice, 2000, again=150)
    else:
        rewrite(root_file if kind == "simulation" else data_file, whole)
        rewrite(whole, twice, repeat(slice(0, 150)))
    options: dict[str, Any] = {"more": size, "flat": "--flat --data" if kind == "flat" else ""}
    assert skim(tmp_path, whole, **options) == 0
    expected = pq.read_table(tmp_path / "out.parquet")
    before = read_json(tmp_path / "flow.json")["cuts"]
    (tmp_path / "out.parquet").unlink()
    assert skim(tmp_path, twice, **options) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "skim.duplicates: dataset 'out': 150 events of" in error
    assert "twice.root occur twice in it" in error
    assert not (tmp_path / "out.parquet").exists()
    assert skim(tmp_path, twice, choice="first", **options) == 0
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.equals(expected)
    cuts = read_json(tmp_path / "flow.json")["cuts"]
    assert cuts[0]["events"] == before[0]["events"] + 150
    assert cuts[-1] == {**before[-1], "name": "once"}
    printed = capsys.readouterr()
    assert "150 events of out occur before and are left out" in printed.err
    if kind == "simulation":
        assert "generated: 4,000 events, Σ genWeight 4000" in printed.out


@pytest.mark.parametrize("choice", ["fail", "first"])
def test_two_files_that_overlap_are_refused_or_counted_once(
    root_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], choice: str
) -> None:
    a, b = tmp_path / "a.root", tmp_path / "b.root"
    rewrite(root_file, a, keep(slice(0, 2500)))
    rewrite(root_file, b, keep(slice(2200, 4000)))
    status = skim(tmp_path, a, b, choice=choice)
    printed = capsys.readouterr()
    if choice == "fail":
        assert status == 1
        assert f"300 events of {b} occur in {a}, too" in printed.err
        return
    assert "generated: 4,000 events, Σ genWeight 4000" in printed.out
    rewrite(root_file, tmp_path / "whole.root")
    found = pq.read_table(tmp_path / "out.parquet")
    assert skim(tmp_path, tmp_path / "whole.root") == 0
    assert found.equals(pq.read_table(tmp_path / "out.parquet"))


def test_file_given_twice_under_two_names_is_refused(
    root_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link, hard = tmp_path / "link.root", tmp_path / "hard.root"
    rewrite(root_file, tmp_path / "a.root", keep(slice(0, 50)))
    link.symlink_to(tmp_path / "a.root")
    hard.hardlink_to(tmp_path / "a.root")
    for other in (link, hard, tmp_path / ".." / tmp_path.name / "a.root"):
        assert skim(tmp_path, tmp_path / "a.root", other) == 1
        assert f"{other} is given twice (it is the same file as" in capsys.readouterr().err


def renumber(columns: Columns) -> None:
    """Let the second half have the numbers of the first."""
    half = len(columns["event"]) // 2
    for name in ("run", "luminosityBlock", "event"):
        columns[name] = ak.concatenate([columns[name][:half], columns[name][:half]])


def test_same_numbers_are_one_collision_but_two_simulated_events(
    root_file: Path, data_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Jobs of a production may number their events alike; their content differs."""
    rewrite(root_file, tmp_path / "simulation.root", renumber)
    assert skim(tmp_path, tmp_path / "simulation.root") == 0
    rewrite(data_file, tmp_path / "even.root", keep(slice(0, 600)))
    rewrite(tmp_path / "even.root", tmp_path / "data.root", renumber)
    assert skim(tmp_path, tmp_path / "data.root") == 1
    assert "300 events of" in capsys.readouterr().err


def skim_part(
    source: Path, folder: Path, name: str, dataset: str, rows: slice
) -> tuple[ChunkList, Path, Path]:
    """Skim some events of a file as a dataset of its own."""
    file = folder / f"{name}.root"
    rewrite(source, file, keep(rows))
    events, record, listed = (
        folder / f"{name}{ending}" for ending in (".parquet", ".json", "_identities.parquet")
    )
    settings = skim_settings(dataset)
    skim_chunk(Chunk(file), ANALYSIS, settings, events, record, {}, listed)
    return ChunkList(dataset, file.name, listed), record, events


def run_script(
    folder: Path, chunks: list[tuple[ChunkList, Path, Path]], **changes: Any
) -> dict[str, Any]:
    """Normalise datasets of one chunk each."""
    lists = [item for item, _, _ in chunks]
    source = catalogue("fastsim").model_dump(mode="json")
    arguments: dict[str, Any] = {
        "cutflows": [str(record) for _, record, _ in chunks],
        "nominal": [],
        "catalogue": source,
        "luminosity": 0.05,
        "data": None,
        "expected_events": dict.fromkeys(item.dataset for item in lists),
        "normalisation": str(folder / "normalisation.json"),
        "cutflow": str(folder / "cutflow.json"),
        "table": str(folder / "cutflow.csv"),
        "skipped": str(folder / "skipped.json"),
        "identities": {item.dataset: [str(item.path)] for item in lists},
    }
    stage.normalise(**{**arguments, **changes})
    content: dict[str, Any] = read_json(folder / "normalisation.json")
    return content


def test_collision_in_two_datasets_of_data_is_found_before_anything_is_trained(
    data_file: Path, tmp_path: Path
) -> None:
    """Two primary datasets share events; each chunk by itself looks right."""
    chunks = [
        skim_part(data_file, tmp_path, "b", BOTH[0], slice(0, 900)),
        skim_part(data_file, tmp_path, "c", BOTH[1], slice(500, 1200)),
    ]
    first, second = (pq.read_table(events)["event_hash"].to_pylist() for *_, events in chunks)
    shared = set(first) & set(second)
    assert len(shared) > 5
    message = rf"dataset '{BOTH[1]}': {len(shared)} events of c.root occur in dataset '{BOTH[0]}'"
    with pytest.raises(TaipanError, match=message):
        run_script(tmp_path, chunks)
    assert not (tmp_path / "normalisation.json").exists()
    repeats = tmp_path / "repeats.json"
    found = run_script(tmp_path, chunks, duplicates="first", repeats=str(repeats))
    assert [found[name]["duplicate_events"] for name in BOTH] == [0, len(shared)]
    cuts = json.loads((tmp_path / "cutflow.json").read_text(encoding="utf-8"))[BOTH[1]]["cuts"]
    assert cuts[-1]["name"] == "once"
    assert cuts[-1]["events"] == len(second) - len(shared)
    rows = read_json(repeats)
    once = tmp_path / "once.parquet"
    write_first([(chunks[1][2], rows[BOTH[1]][0])], once, ANALYSIS.columns, {})
    assert pq.read_table(once)["event_hash"].to_pylist() == [x for x in second if x not in shared]
    assert rows[BOTH[0]] == [[]]


def test_luminosity_of_datasets_that_share_events_is_questioned() -> None:
    """Both luminosities count, although the collisions are of one period."""
    places = Counter({((BOTH[1], "c.root"), (BOTH[0], "b.root")): 4})
    found = Duplicates(dict.fromkeys(BOTH, ()), {}, places)
    (line,) = duplicates.describe_duplicates(found, dict.fromkeys(BOTH))
    assert f"set datasets.{BOTH[1]}.same_period to {BOTH[0]} in the catalogue" in line
    assert duplicates.describe_duplicates(found, {BOTH[0]: None, BOTH[1]: BOTH[0]}) == []
    inside: duplicates.Places = Counter({((BOTH[0], "c.root"), (BOTH[0], "b.root")): 4})
    found = Duplicates({BOTH[0]: ()}, {}, inside)
    assert duplicates.describe_duplicates(found, dict.fromkeys(BOTH)) == []


def test_data_that_the_selection_takes_from_one_dataset_alone_pass(
    data_file: Path, tmp_path: Path
) -> None:
    """Primary datasets do overlap; a veto of the other's trigger keeps them apart."""
    chunks = [
        skim_part(data_file, tmp_path, "b", BOTH[0], slice(0, 900)),
        skim_part(data_file, tmp_path, "c", BOTH[1], slice(500, 1200)),
    ]
    item = chunks[1][0]
    events = read_identities(item.path, 0, 2**64)
    vetoed = replace(events, row=np.full(len(events), -1, np.int32))
    with IdentityWriter(item.path, {}) as writer:
        writer.write(vetoed)
    assert run_script(tmp_path, chunks)[BOTH[1]]["duplicate_events"] == 0


def test_same_event_in_two_simulated_datasets_is_no_duplicate(
    root_file: Path, tmp_path: Path
) -> None:
    names = ["DYJetsToLL", "TTbar"]
    chunks = [skim_part(root_file, tmp_path, name, name, slice(0, 400)) for name in names]
    found = run_script(tmp_path, chunks)
    assert [found[name]["duplicate_events"] for name in names] == [0, 0]


def test_normalisation_counts_a_simulated_event_once(root_file: Path, tmp_path: Path) -> None:
    """The scale is that of the file without the repeated events, whether selected or not."""
    name = "DYJetsToLL"
    whole = skim_part(root_file, tmp_path, "whole", name, slice(0, 2000))
    plain = run_script(tmp_path, [whole])[name]
    file = tmp_path / "whole.root"
    rewrite(file, tmp_path / "twice.root", repeat(slice(0, 500)))
    twice = skim_part(tmp_path / "twice.root", tmp_path, "again", name, slice(None))
    repeats = str(tmp_path / "repeats.json")
    for expected in (None, 2000, 2500):  # a catalogue may state either number
        found = run_script(
            tmp_path, [twice], duplicates="first", repeats=repeats, expected_events={name: expected}
        )[name]
        assert found["scale"] == pytest.approx(plain["scale"], rel=1e-12)
        assert (found["generated_events"], found["events_read"]) == (2000, 2500)
        assert found["duplicate_events"] == 500
    with pytest.raises(TaipanError, match="2500 events read, 2100 expected"):
        run_script(
            tmp_path, [twice], duplicates="first", repeats=repeats, expected_events={name: 2100}
        )


SUMS = GeneratedSums(100, 60.0, 100.0)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (GeneratedSums(120, 70.0, 120.0), SUMS),  # hadd adds the trees `Runs`, too
        (SUMS, SUMS),  # events were appended, `Runs` was not
        (GeneratedSums(900, 500.0, 900.0), None),  # skimmed before: what it counts is not known
    ],
)
def test_runs_tree_that_counts_repeated_events_does_not_normalise(
    runs: GeneratedSums, expected: GeneratedSums | None
) -> None:
    read = GeneratedSums(120, 70.0, 120.0)
    part = Part("a.root", 0, 120, 120, read, generated=runs, weighted=True)
    repeats = {"a.root": GeneratedSums(20, 10.0, 20.0)}
    if expected is None:
        with pytest.raises(TaipanError, match=r"a.root: 20 of its 120 events occur before"):
            sum_generated("x", [part], repeats)
        return
    assert sum_generated("x", [part], repeats) == expected


def test_copy_of_a_skimmed_file_adds_nothing_generated() -> None:
    read, runs = GeneratedSums(20, 10.0, 20.0), GeneratedSums(900, 500.0, 900.0)
    parts = [Part(name, 0, 20, 20, read, generated=runs) for name in ("a.root", "b.root")]
    assert sum_generated("x", parts, {"b.root": read}) == runs


def test_skims_keep_the_normalisation_of_their_catalogue() -> None:
    """It counts the unskimmed sample, which has no repeated events."""
    name = "DYJetsToLL"
    repeats = Duplicates({name: (Repeats(read=GeneratedSums(9, 9.0, 9.0)),)}, {}, {})  # type: ignore[arg-type]
    flows, expected = {name: [flow(name, 300)]}, {name: None}
    arguments = (catalogue("cms-2012-skims"), flows, expected, 1.1467)
    plain, _ = normalise(*arguments)
    found, _ = normalise(*arguments, duplicates=repeats)
    assert found[name].scale == plain[name].scale
    assert found[name].duplicate_events == 9


def write_list(path: Path, identity: np.ndarray, kept: np.ndarray, run_events: int = 50) -> None:
    weight = (identity % 7).astype(np.float32)
    with IdentityWriter(path, {}, run_events) as writer:
        for low in range(0, len(identity), 30):
            step = slice(low, low + 30)
            writer.write(Identities(identity[step], weight[step], number_rows(kept[step])))


@pytest.mark.parametrize("pass_events", [1, 40, 10_000])
def test_repeats_do_not_depend_on_what_is_held_in_memory(
    tmp_path: Path, pass_events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(11)
    lists, seen, expected = [], set(), []
    for number, file in enumerate(("a", "a", "b")):
        # hashes are spread over all of 2⁶⁴; one event comes again and again
        identity = rng.integers(0, 400, 300).astype(np.uint64) * np.uint64(2**55)
        identity[::4] = 7
        kept = rng.random(300) < 0.3
        write_list(tmp_path / f"{number}", identity, kept)
        lists.append(ChunkList("x", file, tmp_path / f"{number}"))
        repeated = np.zeros(300, bool)
        for i, value in enumerate(identity.tolist()):
            repeated[i] = value in seen
            seen.add(value)
        rows = number_rows(kept)[repeated & kept].tolist()
        expected.append((int(repeated.sum()), float((identity[repeated] % 7).sum()), rows))
    longest: list[int] = []

    def watch(parts: list[Identities]) -> Identities:
        longest.append(sum(map(len, parts)))
        return real(parts)

    real = duplicates.join_identities
    monkeypatch.setattr(duplicates, "join_identities", watch)
    found = find_duplicates(lists, (), pass_events)
    repeats = found.chunks["x"]
    assert [(r.read.events, r.read.sumw, list(r.rows)) for r in repeats] == expected
    assert found.read("x").events == sum(count for count, *_ in expected)
    if pass_events == 40:
        assert max(longest) < 450  # one list and a pass, not all 900


def test_list_of_events_is_sorted_and_complete(tmp_path: Path) -> None:
    identity = np.arange(200, dtype=np.uint64)[::-1] * np.uint64(2**56)
    write_list(tmp_path / "l", identity, np.ones(200, bool), run_events=1000)
    assert count_identities(tmp_path / "l") == 200
    low = read_identities(tmp_path / "l", 0, 2**63)
    high = read_identities(tmp_path / "l", 2**63, 2**64)
    assert (len(low), len(high)) == (128, 72)
    assert low.identity.tolist() == sorted(identity.tolist())[:128]
    assert low.row.tolist() == list(range(199, 71, -1))
    (tmp_path / "l").write_bytes(b"PAR1")
    with pytest.raises(TaipanError, match="l is not a readable list of events"):
        count_identities(tmp_path / "l")


def test_cutflow_counts_what_is_left() -> None:
    found = Duplicates(
        {"x": (Repeats(kept=GeneratedSums(3, 1.5, 2.25)),)},
        {},
        {},  # type: ignore[arg-type]
    )
    cuts = duplicates.count_once(Cutflow("x", flow("x", 10).cuts), found).cuts
    assert (cuts[-1].name, cuts[-1].events) == ("once", cuts[-2].events - 3)
    assert cuts[-1].sumw == pytest.approx(cuts[-2].sumw - 1.5)


def test_chunk_that_was_skipped_has_an_empty_list(root_file: Path, tmp_path: Path) -> None:
    """All chunks have a list, so that a missing one shows."""
    file = tmp_path / "short.root"
    file.write_bytes(root_file.read_bytes()[:20_000])
    outputs = [tmp_path / name for name in ("e.parquet", "c.json", "i.parquet")]
    found = skim_verified(
        Chunk(file),
        ANALYSIS,
        skim_settings("DYJetsToLL"),
        outputs[0],
        outputs[1],
        {},
        expected=Expected(),
        on_bad_file="skip",
        identities=outputs[2],
    )
    assert found is None
    assert count_identities(outputs[2]) == 0
    lists = [ChunkList("x", "short.root", outputs[2])]
    assert find_duplicates(lists, ()).read("x").events == 0


def test_event_in_three_places_counts_once(tmp_path: Path) -> None:
    lists = []
    for number, name in enumerate(("a", "b", "c")):
        path = tmp_path / name
        write_list(path, np.array([5, 9 + number], np.uint64), np.ones(2, bool))
        lists.append(ChunkList("x", name, path))
    found = find_duplicates(lists, ())
    assert [repeats.rows for repeats in found.chunks["x"]] == [(), (0,), (0,)]
    assert set(found.places) == {(("x", name), ("x", "a")) for name in ("b", "c")}
    with pytest.raises(TaipanError, match=r"1 event of b occurs in a, too") as error:
        duplicates.refuse_duplicates(found)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize("is_data", [True, False])
def test_analysis_without_event_numbers_compares_the_selected_events(
    root_file: Path, tmp_path: Path, is_data: bool
) -> None:
    """Their `event_hash`, and in simulation their content, tell."""
    analysis = replace(ANALYSIS, event_numbers=("run", "luminosityBlock", "orbit"))
    file = tmp_path / "twice.root"
    rewrite(root_file, file, repeat(slice(0, 500)))
    outputs = [tmp_path / name for name in ("e.parquet", "c.json", "i.parquet")]
    settings = skim_settings("DYJetsToLL", is_data=is_data)
    skim_chunk(Chunk(file), analysis, settings, outputs[0], outputs[1], {}, outputs[2])
    hashes = pq.read_table(outputs[0])["event_hash"].to_pylist()
    assert count_identities(outputs[2]) == len(hashes)
    found = find_duplicates([ChunkList("x", "twice.root", outputs[2])], ())
    repeated = len(hashes) - len(set(hashes))
    assert repeated > 100
    assert found.read("x").events == found.kept("x").events == repeated
