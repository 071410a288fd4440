"""Parts of a dataset: every entry once, sums of weights from the right place."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import uproot

from taipan.atomic import read_json
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.normalisation import Normalisation, normalise
from taipan.skim.cutflow import Cut, Cutflow, efficiencies, format_cutflow, list_cuts
from taipan.skim.parts import (
    GeneratedSums,
    Part,
    check_branches,
    check_every_entry,
    read_generated,
    skipped_part,
    sum_generated,
)
from taipan.skim.run import Chunk, skim_chunk
from tests.conftest import fastsim_settings, skim_settings
from tests.htautau import ANALYSIS
from tests.nanoaod_files import rewrite


def part(
    start: int,
    stop: int,
    *,
    entries: int = 10,
    file: str = "a.root",
    weight: float = 1.0,
    generated: GeneratedSums | None = None,
    **branches: str,
) -> Part:
    number = stop - start
    read = GeneratedSums(number, number * weight, number * weight**2)
    return Part(file, start, stop, entries, read, generated, branches)


class TestCoverage:
    def test_all_entries_once(self) -> None:
        check_every_entry("x", [part(7, 10), part(0, 3), part(3, 7), part(0, 10, file="b.root")])

    def test_number_of_the_catalogue(self) -> None:
        check_every_entry("x", [part(0, 10)], {"a.root": 10})
        with pytest.raises(TaipanError, match="a.root has 10 entries, the catalogue states 11"):
            check_every_entry("x", [part(0, 10)], {"a.root": 11})

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            ([part(0, 3), part(7, 10)], r"a.root: entries 3 to 7 were not read"),
            ([part(3, 10)], r"a.root: entries 0 to 3 were not read"),
            ([part(0, 3), part(3, 9)], r"a.root: entries 9 to 10 were not read"),
            ([part(0, 6), part(4, 10)], r"a.root: entries 4 to 6 were read twice"),
            ([part(0, 10), part(0, 10)], r"a.root: entries 0 to 10 were read twice"),
            ([part(0, 5), part(5, 12, entries=12)], r"a.root changed between two skim jobs"),
        ],
    )
    def test_gaps_and_repetitions_are_named(self, parts: list[Part], message: str) -> None:
        with pytest.raises(TaipanError, match=f"dataset 'x': {message}"):
            check_every_entry("x", parts)


def test_parts_left_out_count_as_covered() -> None:
    read = part(0, 3)
    check_every_entry("x", [read, skipped_part("a.root", 3, None), skipped_part("b.root", 0, None)])
    with pytest.raises(TaipanError, match="entries 3 to 5 were not read"):
        check_every_entry("x", [read, skipped_part("a.root", 5, None)])


def test_runs_are_lowered_by_the_share_left_out() -> None:
    runs = GeneratedSums(1000, 600.0, 1000.0)
    parts = [part(0, 5, generated=runs), skipped_part("a.root", 5, None)]
    assert sum_generated("x", parts) == GeneratedSums(500, 300.0, 500.0)


class TestSums:
    def test_from_the_events_where_there_is_no_runs_tree(self) -> None:
        total = sum_generated("x", [part(0, 4, weight=2.0), part(4, 10, weight=-1.0)])
        assert total == GeneratedSums(10, 2.0, 22.0)

    def test_runs_tree_counts_once_a_file(self) -> None:
        runs = GeneratedSums(10, 10.0, 10.0)
        halves = [part(0, 5, generated=runs), part(5, 10, generated=runs)]
        other = part(0, 10, file="b.root")
        assert sum_generated("x", [*halves, other]) == GeneratedSums(20, 20.0, 20.0)

    def test_skimmed_file_is_normalised_to_what_was_generated(self) -> None:
        runs = GeneratedSums(1000, 600.0, 1000.0)
        assert sum_generated("x", [part(0, 10, generated=runs)]) == runs

    @pytest.mark.parametrize("change", [2e-6, -2e-6])
    def test_mismatch_is_an_error(self, change: float) -> None:
        runs = GeneratedSums(10, 10.0 * (1.0 + change), 10.0)
        with pytest.raises(
            TaipanError, match=r"'x': a.root: Σ genWeight of the events is 10, Runs"
        ):
            sum_generated("x", [part(0, 10, generated=runs)])
        close = GeneratedSums(10, 10.0 * (1.0 + change / 10), 10.0)
        assert sum_generated("x", [part(0, 10, generated=close)]) == close

    def test_more_events_than_generated_is_an_error(self) -> None:
        runs = GeneratedSums(9, 9.0, 9.0)
        with pytest.raises(TaipanError, match="10 events, but Runs counts 9"):
            sum_generated("x", [part(0, 10, generated=runs)])


def test_different_meanings_do_not_mix() -> None:
    data, simulation = part(0, 10, MET_pt="MET_pt"), part(0, 10, MET_pt="MET_pt", GenPart="GenPart")
    check_branches({"data": [data], "mc": [simulation, simulation]})
    with pytest.raises(TaipanError, match=r"MET_pt is 'MET_pt' in dataset 'data' but 'PUPPI MET'"):
        check_branches({"data": [data], "mc": [simulation, part(0, 10, MET_pt="PUPPI MET")]})


def test_datasets_of_different_meanings_are_not_normalised_together() -> None:
    datasets = catalogue().datasets | {"b": catalogue().dataset("DYToTauTau_NLO")}
    both = catalogue().model_copy(update={"datasets": datasets})
    flow = (Cut("all", 10, 10.0, 10.0),)
    flows = {name: [Cutflow(name, flow)] for name in both.datasets}
    parts = {name: [part(0, 10, MET_pt=f"MET {name}")] for name in both.datasets}
    with pytest.raises(TaipanError, match="MET_pt is 'MET DYToTauTau_NLO' in dataset"):
        normalise(both, flows, dict.fromkeys(flows), 3.0, parts=parts)
    same = {name: [part(0, 10, MET_pt="MET")] for name in both.datasets}
    assert len(normalise(both, flows, dict.fromkeys(flows), 3.0, parts=same)[0]) == 2


def test_part_survives_json() -> None:
    original = part(0, 10, generated=GeneratedSums(10, 10.0, 10.0), MET_pt="PUPPI MET")
    assert Part.from_dict(json.loads(json.dumps(original.to_dict()))) == original
    assert Part.from_dict(part(0, 4).to_dict()) == part(0, 4)


class TestRunsTree:
    """The tree of the generated events in a file."""

    def runs(self, path: Path, **columns: list[float]) -> GeneratedSums | None:
        with uproot.recreate(path) as file:
            file["Runs"] = {name: np.array(values) for name, values in columns.items()}
        with uproot.open(path) as file:
            return read_generated(file, path)

    @pytest.mark.parametrize("suffix", ["", "_"])
    def test_runs_add_up(self, tmp_path: Path, suffix: str) -> None:
        columns = {"genEventCount": [3, 4], "genEventSumw": [1.5, 2.0], "genEventSumw2": [2.0, 3.0]}
        named = {f"{name}{suffix}": values for name, values in columns.items()}
        assert self.runs(tmp_path / "a.root", **named) == GeneratedSums(7, 3.5, 5.0)

    def test_data_have_no_sums(self, tmp_path: Path) -> None:
        assert self.runs(tmp_path / "a.root", run=[1, 2]) is None

    def test_nan_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TaipanError, match=r"a.root: tree 'Runs': genEventSumw is NaN"):
            self.runs(
                tmp_path / "a.root",
                genEventCount=[1],
                genEventSumw=[float("nan")],
                genEventSumw2=[1.0],
            )


def catalogue(**keys: object) -> Catalogue:
    dataset = {
        "files": ["a.root"],
        "is_data": False,
        "cross_section": {"value": 2.0, "unit": "pb", "source": "test"},
        **keys,
    }
    text = {"name": "x", "kind": "nanoaod", "description": "", "licence": "CC0-1.0"}
    return Catalogue.model_validate({**text, "datasets": {"DYToTauTau_NLO": dataset}})


@pytest.fixture(scope="module")
def nlo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4000 events with weights of both signs."""
    from taipan.fastsim import write_dataset

    path = tmp_path_factory.mktemp("nlo") / "nlo.root"
    write_dataset("DYToTauTau_NLO", path, fastsim_settings(), seed=3)
    return path


def skim_and_normalise(
    file: Path, folder: Path, edges: list[int], **catalogue_keys: object
) -> Normalisation:
    name = "DYToTauTau_NLO"
    flows, parts = [], []
    for start, stop in itertools.pairwise(edges):
        skim_chunk(
            Chunk(file, start, stop, "a.root"),
            ANALYSIS,
            skim_settings(name),
            folder / f"{start}.parquet",
            folder / f"{start}.json",
            {},
        )
        content = read_json(folder / f"{start}.json")
        flows.append(Cutflow.from_dict(content))
        parts.append(Part.from_dict(content["part"]))
    found, _ = normalise(
        catalogue(**catalogue_keys), {name: flows}, {name: None}, 3.0, parts={name: parts}
    )
    return found[name]


def test_normalisation_of_a_skimmed_file(nlo_file: Path, tmp_path: Path) -> None:
    """A file with a third of its events is normalised to all that were generated."""
    weights = uproot.open(nlo_file)["Events/genWeight"].array(library="np").astype(np.float64)
    runs = {
        "genEventCount": [len(weights)],
        "genEventSumw": [weights.sum()],
        "genEventSumw2": [(weights**2).sum()],
    }
    whole = skim_and_normalise(nlo_file, tmp_path / "events", [0, 4000], sumw=weights.sum())
    assert whole.sumw_origin == "events"
    assert whole.scale == pytest.approx(2.0 * 3000.0 / weights.sum(), rel=1e-12)
    rewrite(nlo_file, tmp_path / "runs.root", runs=runs)
    same = skim_and_normalise(tmp_path / "runs.root", tmp_path / "runs", [0, 1500, 4000])
    assert (same.sumw_origin, same.parts) == ("Runs", 2)
    assert (same.scale, same.generated_events) == (whole.scale, 4000)

    def keep_a_third(columns: dict[str, object]) -> None:
        for name in columns:
            columns[name] = columns[name][::3]  # type: ignore[index]

    rewrite(nlo_file, tmp_path / "third.root", keep_a_third, runs=runs)
    third = skim_and_normalise(tmp_path / "third.root", tmp_path / "third", [0, 1334])
    assert (third.events_read, third.generated_events) == (1334, 4000)
    assert third.scale == whole.scale
    assert third.sumw_read != third.sumw
    with pytest.raises(TaipanError, match="Σ genWeight is .*, the catalogue has"):
        skim_and_normalise(tmp_path / "third.root", tmp_path / "third", [0, 1334], sumw=99.0)
    with pytest.raises(TaipanError, match="entries 1000 to 1334 were not read"):
        skim_and_normalise(tmp_path / "third.root", tmp_path / "third", [0, 1000])


def test_runs_that_contradict_the_events_are_refused(nlo_file: Path, tmp_path: Path) -> None:
    runs = {"genEventCount": [4000], "genEventSumw": [4000.0], "genEventSumw2": [4000.0]}
    rewrite(nlo_file, tmp_path / "wrong.root", runs=runs)
    with pytest.raises(TaipanError, match="Σ genWeight of the events is"):
        skim_and_normalise(tmp_path / "wrong.root", tmp_path / "out", [0, 4000])


def test_sum_of_weights_without_weights_is_the_number_of_events(
    nlo_file: Path, tmp_path: Path
) -> None:
    """`Runs` knows weights that the events have lost: each would count 1 of a smaller sum."""

    def keep_a_third(columns: dict[str, object]) -> None:
        del columns["genWeight"]
        for name in columns:
            columns[name] = columns[name][::3]  # type: ignore[index]

    runs = {"genEventCount": [4000], "genEventSumw": [2400.0], "genEventSumw2": [4000.0]}
    rewrite(nlo_file, tmp_path / "lost.root", keep_a_third, runs=runs)
    with pytest.raises(
        TaipanError, match="'DYToTauTau_NLO': Σ genWeight is 2400 for 4000 generated events, but"
    ):
        skim_and_normalise(tmp_path / "lost.root", tmp_path / "out", [0, 1334])
    # a sum that the catalogue states is compared with instead
    stated = skim_and_normalise(tmp_path / "lost.root", tmp_path / "out", [0, 1334], sumw=2400.0)
    assert stated.sumw == 2400.0
    ones = {"genEventCount": [4000], "genEventSumw": [4000.0], "genEventSumw2": [4000.0]}
    rewrite(nlo_file, tmp_path / "ones.root", keep_a_third, runs=ones)
    plain = skim_and_normalise(tmp_path / "ones.root", tmp_path / "ones", [0, 500, 1334])
    assert (plain.sumw, plain.generated_events, plain.sumw_read) == (4000.0, 4000, 1334.0)


class TestTable:
    FLOW = Cutflow(
        "ggH",
        (Cut("all", 1000, 500.0, 1000.0), Cut("trigger", 50, 25.0, 50.0), Cut("pair", 0, 0.0, 0.0)),
    )

    def test_efficiencies(self) -> None:
        assert efficiencies(self.FLOW) == [(1.0, 1.0), (0.05, 0.05), (0.0, 0.0)]

    def test_values(self) -> None:
        lines = list_cuts({"ggH": self.FLOW}).splitlines()
        assert lines[0].startswith("dataset,cut,events,sumw,sumw2,efficiency")
        assert lines[2] == "ggH,trigger,50,25,50,0.05,0.05"

    def test_text(self) -> None:
        lines = format_cutflow(self.FLOW).splitlines()
        assert lines[2].split() == ["trigger", "50", "25", "50", "5", "%", "5", "%"]
        assert len({len(line) for line in lines}) == 1
        empty = Cutflow("x", (Cut("all", 0, 0.0, 0.0),))
        assert "–" in format_cutflow(empty)
