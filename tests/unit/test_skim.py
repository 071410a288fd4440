"""The skim: cutflow, storage, chunking, and every kind of bad input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot

from taipan.columns.identity import assign_folds
from taipan.config.load import read_config
from taipan.errors import TaipanError
from taipan.skim.run import Chunk, Cutflow, skim_chunk
from taipan.skim.storage import read_events
from tests.conftest import ENVELOPE, ROOT, fastsim_settings, skim_settings
from tests.htautau import ANALYSIS
from tests.nanoaod_files import rewrite


def skim(
    file: Path,
    folder: Path,
    *,
    start: int = 0,
    stop: int | None = None,
    analysis=ANALYSIS,
    **changes,  # type: ignore[no-untyped-def]
) -> tuple[Path, Cutflow]:
    events = folder / f"{start}.parquet"
    settings = skim_settings("DYJetsToLL", **changes)
    flow = skim_chunk(
        Chunk(file, start, stop), analysis, settings, events, folder / f"{start}.json", {"a": 1}
    )
    return events, flow


def test_cutflow_counts_events_and_weights(root_file: Path, tmp_path: Path) -> None:
    events, flow = skim(root_file, tmp_path)
    counts = [cut.events for cut in flow.cuts]
    assert [cut.name for cut in flow.cuts] == ["all", "trigger", "muon", "tau", "pair"]
    assert counts[0] == 4000
    assert counts == sorted(counts, reverse=True)
    assert 0.2 * 4000 < counts[-1] < 4000
    assert counts[-1] == pq.read_metadata(events).num_rows
    assert all(cut.sumw == cut.events == cut.sumw2 for cut in flow.cuts)  # unit weights
    stored = json.loads((tmp_path / "0.json").read_text(encoding="utf-8"))
    assert Cutflow.from_dict(stored) == flow


def test_any_chunking_gives_the_same_events(root_file: Path, tmp_path: Path) -> None:
    whole, _ = skim(root_file, tmp_path / "whole")
    first, _ = skim(root_file, tmp_path / "parts", stop=1234, step_events=500)
    second, _ = skim(root_file, tmp_path / "parts", start=1234, step_events=10_000)
    one = read_events([whole], ANALYSIS.columns)
    two = read_events([first, second], ANALYSIS.columns)
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
    swapped = read_events([second, first], ANALYSIS.columns)
    order = np.argsort(swapped["event_hash"])
    reference = np.argsort(one["event_hash"])
    np.testing.assert_array_equal(swapped["event"][order], one["event"][reference])
    folds = assign_folds(one["event_hash"], 5)
    np.testing.assert_array_equal(assign_folds(swapped["event_hash"], 5)[order], folds[reference])


def test_loosened_skim_contains_every_shifted_event(root_file: Path, tmp_path: Path) -> None:
    """A tighter envelope loses events that an energy scale shift within it would select."""
    loose, _ = skim(root_file, tmp_path / "loose")
    tight, _ = skim(root_file, tmp_path / "tight", envelope={"tau_pt": 1e-9, "muon_pt": 1e-9})

    def selected(path: Path, size: float) -> set[int]:
        columns = ANALYSIS.shifts["tau_pt"].function(read_events([path], ANALYSIS.columns), size)
        return set(columns["event"][ANALYSIS.compute(columns)["passes"]].tolist())

    assert selected(loose, 0.0) == selected(tight, 0.0)
    assert selected(tight, 0.06) < selected(loose, 0.06)


def test_generator_weights_reach_cutflow_and_events(tmp_path: Path) -> None:
    from taipan.fastsim import write_dataset

    path = tmp_path / "nlo.root"
    write_dataset("DYToTauTau_NLO", path, fastsim_settings(), seed=3)
    events, flow = skim(path, tmp_path)
    weights = uproot.open(path)["Events/genWeight"].array(library="np")
    assert set(np.unique(weights)) == {-1.0, 1.0}
    assert flow.cuts[0].sumw == weights.sum() < flow.cuts[0].events
    kept = read_events([events], ANALYSIS.columns)["genWeight"]
    assert flow.cuts[-1].sumw == pytest.approx(kept.sum(), rel=1e-12)
    assert (kept < 0).mean() == pytest.approx(0.2, abs=0.05)


def test_data_count_one_each_whatever_the_file_holds(tmp_path: Path) -> None:
    """A file of collision data with a branch of generator weights is read without it."""
    from taipan.fastsim import write_dataset

    path = tmp_path / "nlo.root"
    settings = fastsim_settings(events={"DYToTauTau_NLO": 800})
    write_dataset("DYToTauTau_NLO", path, settings, seed=3)
    assert uproot.open(path)["Events/genWeight"].array(library="np").min() == -1.0
    events, flow = skim(path, tmp_path, is_data=True)
    assert all(cut.sumw == cut.events == cut.sumw2 for cut in flow.cuts)
    assert set(read_events([events], ANALYSIS.columns)["genWeight"]) == {1.0}


@pytest.fixture(scope="module")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from taipan.fastsim import write_dataset

    path = tmp_path_factory.mktemp("data") / "data.root"
    write_dataset("Run2012B_TauPlusX", path, fastsim_settings(luminosity=0.1), seed=5)
    return path


# coffea's imports warn of their own accord
@pytest.mark.filterwarnings("ignore")
def test_only_certified_luminosity_blocks_of_data_are_kept(data_file: Path, tmp_path: Path) -> None:
    tree = uproot.open(data_file)["Events"].arrays(["run", "luminosityBlock"], library="np")
    run = int(np.unique(tree["run"])[0])
    last = int(np.median(tree["luminosityBlock"][tree["run"] == run]))
    good = (tree["run"] == run) & (tree["luminosityBlock"] <= last)
    assert 0 < good.sum() < len(good)
    (tmp_path / "mask.json").write_text(json.dumps({str(run): [[1, last]]}), encoding="utf-8")
    mask = str(tmp_path / "mask.json")
    events, flow = skim(data_file, tmp_path / "out", is_data=True, lumi_mask=mask)
    assert [cut.name for cut in flow.cuts[:3]] == ["all", "certified", "trigger"]
    assert flow.cut("certified").events == good.sum()
    kept = read_events([events], ANALYSIS.columns)
    assert set(kept["run"]) == {run}
    assert kept["luminosityBlock"].max() <= last
    (tmp_path / "bad.json").write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(TaipanError, match="bad.json is not a file of certified"):
        skim(data_file, tmp_path / "b", is_data=True, lumi_mask=str(tmp_path / "bad.json"))


def test_provenance_is_stored(skim_file: Path, root_file: Path, tmp_path: Path) -> None:
    from taipan.skim.storage import read_provenance

    events, _ = skim(root_file, tmp_path)
    assert read_provenance(events) == {"a": 1}


@pytest.mark.parametrize("step", [700, 100_000])
def test_same_input_same_bytes(root_file: Path, tmp_path: Path, step: int) -> None:
    one, _ = skim(root_file, tmp_path / "1", step_events=step)
    two, _ = skim(root_file, tmp_path / "2", step_events=step)
    assert one.read_bytes() == two.read_bytes()


class TestBadInput:
    """Each ends in a message that names file and fault, and leaves no output."""

    def fails(self, file: Path, folder: Path, *parts: str, **changes) -> None:  # type: ignore[no-untyped-def]
        folder.mkdir(exist_ok=True)
        with pytest.raises(TaipanError) as caught:
            skim(file, folder, **changes)
        for part in parts:
            assert part in str(caught.value)
        assert not list(folder.iterdir())

    def test_missing_file(self, tmp_path: Path) -> None:
        self.fails(tmp_path / "absent.root", tmp_path / "out", "absent.root", "does not exist")

    def test_not_a_root_file(self, tmp_path: Path) -> None:
        (tmp_path / "text.root").write_text("no ROOT file", encoding="utf-8")
        self.fails(tmp_path / "text.root", tmp_path / "out", "text.root", "not a readable ROOT")

    @pytest.mark.parametrize("keep", [0.2, 0.6, 0.9, 0.999])
    def test_truncated_file(self, root_file: Path, tmp_path: Path, keep: float) -> None:
        content = root_file.read_bytes()
        path = tmp_path / "truncated.root"
        path.write_bytes(content[: int(len(content) * keep)])
        self.fails(path, tmp_path / "out", "truncated.root")

    def test_missing_branch(self, root_file: Path, tmp_path: Path) -> None:
        path = tmp_path / "poor.root"

        def drop(columns: dict[str, ak.Array]) -> None:
            del columns["Tau_idIsoTight"]

        rewrite(root_file, path, drop)
        self.fails(path, tmp_path / "out", "poor.root", "missing branch 'Tau_idIsoTight'")

    def test_no_tree(self, tmp_path: Path) -> None:
        with uproot.recreate(tmp_path / "other.root") as file:
            file.mktree("Runs", {"x": "float32"})
        self.fails(tmp_path / "other.root", tmp_path / "out", "no tree 'Events'", "Runs")

    def test_no_events(self, root_file: Path, tmp_path: Path) -> None:
        path = tmp_path / "empty.root"

        def clear(columns: dict[str, ak.Array]) -> None:
            for name in columns:
                columns[name] = columns[name][:0]

        rewrite(root_file, path, clear)
        self.fails(path, tmp_path / "out", "empty.root", "no events")

    def test_nan_in_a_column(self, root_file: Path, tmp_path: Path) -> None:
        path = tmp_path / "nan.root"

        def spoil(columns: dict[str, ak.Array]) -> None:
            values = np.array(columns["MET_pt"])
            values[::7] = np.nan
            columns["MET_pt"] = ak.Array(values)

        rewrite(root_file, path, spoil)
        self.fails(path, tmp_path / "out", "nan.root", "MET_pt", "NaN")

    def test_range_beyond_the_file(self, root_file: Path, tmp_path: Path) -> None:
        self.fails(root_file, tmp_path / "out", "entries 0 to 9999", "4000", stop=9999)

    def test_no_flat_reader(self, root_file: Path, tmp_path: Path) -> None:
        self.fails(
            root_file,
            tmp_path / "out",
            "cannot read flat",
            kind="skims",
            analysis=replace(ANALYSIS, flat=None),
        )

    def test_damaged_parquet(self, skim_file: Path, tmp_path: Path) -> None:
        content = skim_file.read_bytes()
        (tmp_path / "cut.parquet").write_bytes(content[: len(content) // 2])
        with pytest.raises(TaipanError, match="cut.parquet is not a readable Parquet"):
            read_events([tmp_path / "cut.parquet"], ANALYSIS.columns)


def test_envelope_is_that_of_the_default_configuration() -> None:
    assert read_config([], ROOT).skim.envelope == ENVELOPE
