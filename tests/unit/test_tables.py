"""Tables as input: the same rows as Parquet, CSV and HDF5, against pandas; what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taipan.analysis import Analysis
from taipan.analysis_folder import shipped_folder
from taipan.analysis_selection import load_analysis
from taipan.checks.tables import check_tables
from taipan.config.load import read_config, validate_keys
from taipan.datasets import Catalogue, plan_chunks
from taipan.errors import BadFileError, TaipanError
from taipan.normalisation import normalise
from taipan.skim.cutflow import Cutflow
from taipan.skim.identities import read_identities
from taipan.skim.run import Chunk, SkimSettings, skim_chunk
from taipan.skim.storage import read_events
from tests.tables import COLUMNS, LABELS, make_catalogue, make_frame

ROOT = Path(__file__).parents[2]
FORMATS: dict[str, Callable[[pd.DataFrame, Path], object]] = {}


def writer(function: Callable[[pd.DataFrame, Path], object]) -> Callable[..., object]:
    FORMATS[function.__name__] = function
    return function


@writer
def parquet(frame: pd.DataFrame, folder: Path) -> Path:
    path = folder / "t.parquet"
    pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=90)
    return path


@writer
def csv(frame: pd.DataFrame, folder: Path) -> Path:
    path = folder / "t.csv"
    frame.to_csv(path, index=False)
    return path


@writer
def columns(frame: pd.DataFrame, folder: Path) -> Path:
    path = folder / "t.h5"
    with h5py.File(path, "w") as file:
        for name in frame:
            text = frame[name].dtype == object or str(frame[name].dtype).startswith("str")
            file[f"table/{name}"] = frame[name].astype("S").to_numpy() if text else frame[name]
    return path


@writer
def records(frame: pd.DataFrame, folder: Path) -> Path:
    path = folder / "t.hdf5"
    kinds = [(n, "S8" if n == "process" else "f4") for n in frame]
    content = np.array([tuple(row) for row in frame.itertuples(index=False)], dtype=kinds)
    with h5py.File(path, "w") as file:
        file["table"] = content
    return path


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return load_analysis(shipped_folder("higgsml"))


def settings(label: str, **table: Any) -> SkimSettings:
    form = make_catalogue(**table).table
    assert form is not None
    reading = {"format": form.model_dump(mode="json"), "label": label, "labels": list(LABELS)}
    return SkimSettings(label, False, "tables", {"tau_pt": 0.1}, 64, table=reading)


def skim(
    path: Path, out: Path, label: str, analysis: Analysis, start: int = 0, stop: int | None = None,
    **table: Any,
) -> tuple[Cutflow, dict[str, Any]]:  # fmt: skip
    out.mkdir(exist_ok=True)
    group = {"group": "table"} if path.suffix in (".h5", ".hdf5") else {}
    flow = skim_chunk(
        Chunk(path, start, stop), analysis, settings(label, **group, **table),
        out / "events.parquet", out / "flow.json", {}, out / "identities.parquet",
    )  # fmt: skip
    return flow, dict(read_events([out / "events.parquet"], analysis.columns))


@pytest.mark.parametrize("kind", list(FORMATS))
def test_cutflow_has_counts_and_weights_of_the_rows(
    kind: str, analysis: Analysis, tmp_path: Path
) -> None:
    frame = make_frame(300)
    path = FORMATS[kind](frame, tmp_path)
    assert isinstance(path, Path)
    for label in LABELS:
        flow, events = skim(path, tmp_path / label, label, analysis)
        mine = frame[frame.process == label]
        kept = mine[(mine.lep_pt >= 20) & (mine.had_pt * np.float32(1.1) >= 26)]
        assert [(cut.name, cut.events) for cut in flow.cuts][:2] == [
            ("all", len(mine)), ("trigger", len(mine)),
        ]  # fmt: skip
        assert flow.cuts[-1].events == len(kept)
        assert flow.cuts[-1].sumw == pytest.approx(kept.weight.sum(), rel=1e-6)
        assert flow.cuts[0].sumw2 == pytest.approx((mine.weight**2).sum(), rel=1e-6)
        assert events["Tau_pt"][:, 0] == pytest.approx(kept.had_pt.to_numpy(), rel=1e-6)
        jets = (~np.isnan(events["Jet_pt"])).sum(axis=1)
        assert jets.tolist() == (kept[["j1_pt", "j2_pt"]] != -25).sum(axis=1).tolist()
        assert events["n_jets"].tolist() == kept.n.astype(int).tolist()


def test_a_row_is_the_same_event_in_every_format(analysis: Analysis, tmp_path: Path) -> None:
    frame = make_frame(300)
    found = []
    for kind, write in FORMATS.items():
        path = write(frame, tmp_path)
        assert isinstance(path, Path)
        _, events = skim(path, tmp_path / kind, "sig", analysis)
        found.append(events["event_hash"].tolist())
    assert len(set(found[0])) == len(found[0]) > 50
    assert all(item == found[0] for item in found)


def test_chunks_give_the_events_of_the_whole_table(analysis: Analysis, tmp_path: Path) -> None:
    path = FORMATS["parquet"](make_frame(300), tmp_path)
    assert isinstance(path, Path)
    _, whole = skim(path, tmp_path / "w", "sig", analysis)
    _, first = skim(path, tmp_path / "a", "sig", analysis, 0, 130)
    _, second = skim(path, tmp_path / "b", "sig", analysis, 130, None)
    assert whole["event_hash"].tolist() == [
        *first["event_hash"].tolist(), *second["event_hash"].tolist(),
    ]  # fmt: skip
    assert whole["genWeight"].tolist() == [
        *first["genWeight"].tolist(), *second["genWeight"].tolist(),
    ]  # fmt: skip
    parts = [read_identities(tmp_path / n / "identities.parquet", 0, 2**64) for n in "wab"]
    assert len(parts[0]) == len(parts[1]) + len(parts[2])


def test_equal_rows_are_one_event_unless_rows_are_counted(
    analysis: Analysis, tmp_path: Path
) -> None:
    frame = pd.concat([make_frame(40)] * 2, ignore_index=True)
    path = FORMATS["parquet"](frame, tmp_path)
    assert isinstance(path, Path)
    _, same = skim(path, tmp_path / "a", "sig", analysis)
    _, rows = skim(path, tmp_path / "b", "sig", analysis, identity="row")
    assert len(set(same["event_hash"].tolist())) == len(same["event_hash"]) // 2
    assert len(set(rows["event_hash"].tolist())) == len(rows["event_hash"])


def test_weights_are_expected_events_at_the_luminosity_of_the_table() -> None:
    catalogue = make_catalogue()
    flow = {"dataset": "sig", "cuts": [{"name": "all", "events": 4, "sumw": 50.0, "sumw2": 1.0}]}
    found, _ = normalise(catalogue, {"sig": [Cutflow.from_dict(flow)]}, {"sig": None}, 25.0)
    assert found["sig"].scale == pytest.approx(2.5)  # 25 / 10 fb⁻¹, whatever the sum
    flow["cuts"][0]["sumw"] = 0.0  # type: ignore[index]
    with pytest.raises(TaipanError, match=r"dataset 'sig': Σ of the weights is 0.0"):
        normalise(catalogue, {"sig": [Cutflow.from_dict(flow)]}, {"sig": None}, 25.0)


def test_rows_of_a_label_are_not_taken_for_the_rows_of_the_file() -> None:
    catalogue = make_catalogue()
    assert plan_chunks(catalogue.dataset("sig"), 1000, 10)[0].stop is None


class TestRefuses:
    """One line that names the file, the column and the row."""

    def fails(
        self, analysis: Analysis, folder: Path, match: str, frame: pd.DataFrame | None = None,
        **table: Any,
    ) -> None:  # fmt: skip
        path = FORMATS["parquet"](make_frame(100) if frame is None else frame, folder)
        assert isinstance(path, Path)
        with pytest.raises(TaipanError, match=match) as caught:
            skim(path, folder / "out", "sig", analysis, **table)
        assert len(str(caught.value).splitlines()) == 1
        assert not (folder / "out" / "events.parquet").exists()

    def test_a_missing_column(self, analysis: Analysis, tmp_path: Path) -> None:
        frame = make_frame(100).drop(columns="met_phi")
        self.fails(analysis, tmp_path, r"t.parquet: missing column 'met_phi'.*\(found: ", frame)

    def test_a_weight_that_is_not_finite(self, analysis: Analysis, tmp_path: Path) -> None:
        frame = make_frame(100)
        row = int(frame.index[frame.process == "sig"][3])
        frame.loc[row, "weight"] = np.inf
        self.fails(analysis, tmp_path, f"weight 'weight' is NaN .* 1 rows.*row {row} ", frame)

    def test_a_value_that_is_not_finite(self, analysis: Analysis, tmp_path: Path) -> None:
        frame = make_frame(100)
        row = int(frame.index[frame.process == "sig"][5])
        frame.loc[row, "met"] = np.nan
        self.fails(analysis, tmp_path, f"column 'MET_pt' has 1 value NaN.*entry {row} ", frame)

    def test_a_label_that_nobody_named(self, analysis: Analysis, tmp_path: Path) -> None:
        frame = make_frame(100)
        frame.loc[7, "process"] = "sigg"
        match = r"column 'process' has 'sigg' in row 7.*\(did you mean 'sig'"
        self.fails(analysis, tmp_path, match.replace(r"\(did you mean 'sig'", "sig"), frame)
        path = FORMATS["parquet"](frame, tmp_path)
        assert isinstance(path, Path)
        flow, _ = skim(path, tmp_path / "out", "sig", analysis, unused_labels=["sigg"])
        assert flow.cuts[0].events == (frame.process == "sig").sum()

    def test_a_fraction_where_a_number_of_jets_is(self, analysis: Analysis, tmp_path: Path) -> None:
        frame = make_frame(100)
        row = int(frame.index[frame.process == "sig"][2])
        frame.loc[row, "n"] = 1.5
        self.fails(analysis, tmp_path, f"branch 'n_jets' is 1.5 in row {row} ", frame)

    def test_a_branch_without_column(self, analysis: Analysis, tmp_path: Path) -> None:
        columns = {k: v for k, v in make_catalogue().table.columns.items() if k != "MET_phi"}  # type: ignore[union-attr]
        self.fails(analysis, tmp_path, r"table.columns: no column for branch 'MET_phi'",
                   columns=columns)  # fmt: skip

    @pytest.mark.parametrize("kind", list(FORMATS))
    def test_a_truncated_file(self, kind: str, analysis: Analysis, tmp_path: Path) -> None:
        path = FORMATS[kind](make_frame(100), tmp_path)
        assert isinstance(path, Path)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
        with pytest.raises(BadFileError, match=f"{path.name}.* cannot be read: ") as caught:
            skim(path, tmp_path / "out", "sig", analysis)
        assert len(str(caught.value).splitlines()) == 1


class TestCheck:
    """What `taipan config check` says before anything runs."""

    def problems(
        self, analysis: Analysis, frame: pd.DataFrame, folder: Path, **table: Any
    ) -> list[str]:
        pq.write_table(pa.Table.from_pandas(frame), folder / "t.parquet")
        catalogue = make_catalogue(**table)
        config = read_config([], ROOT, analysis="higgsml", files=str(folder))
        samples = {
            name: config.samples["ttbar"].model_copy(update={"datasets": [name]}) for name in LABELS
        }
        config = config.model_copy(update={"samples": samples, "systematics": {}})
        return list(check_tables(config, catalogue, analysis))

    def test_a_complete_table_has_no_problem(self, analysis: Analysis, tmp_path: Path) -> None:
        assert self.problems(analysis, make_frame(10), tmp_path) == []

    def test_a_missing_column_is_named_once(self, analysis: Analysis, tmp_path: Path) -> None:
        frame = make_frame(10).drop(columns=["met_phi", "weight"])
        (line,) = self.problems(analysis, frame, tmp_path)
        assert line.startswith(f"{tmp_path}/t.parquet: missing column 'met_phi', 'weight'")

    def test_a_branch_without_column_is_named(self, analysis: Analysis, tmp_path: Path) -> None:
        columns = {name: source for name, source in COLUMNS.items() if name != "MET_phi"}
        (line,) = self.problems(analysis, make_frame(10), tmp_path, columns=columns)
        assert line.startswith("catalogue 't': table.columns: no column for branch 'MET_phi'")

    def test_a_truncated_file_is_named(self, analysis: Analysis, tmp_path: Path) -> None:
        assert self.problems(analysis, make_frame(10), tmp_path) == []
        path = tmp_path / "t.parquet"
        path.write_bytes(path.read_bytes()[:500])
        config = read_config([], ROOT, analysis="higgsml", files=str(tmp_path))
        config = config.model_copy(
            update={
                "samples": {"s": config.samples["ttbar"].model_copy(update={"datasets": ["sig"]})},
                "systematics": {},
            }
        )
        (line,) = check_tables(config, make_catalogue(), analysis)
        assert "t.parquet cannot be read: " in line


class TestCatalogue:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"kind": "nanoaod"}, "`table` is for kind tables or simulation, not nanoaod"),
            ({"table": None}, "kind tables needs `table`"),
            ({"datasets": {"sig": {"files": ["t.parquet"], "is_data": False}}}, "belong together"),
            (
                {"datasets": {"sig": {"files": ["t.root"], "is_data": True, "label": "sig"}}},
                "'t.root' is no table",
            ),
        ],
    )
    def test_what_does_not_fit_is_refused(self, change: dict[str, Any], message: str) -> None:
        content = json.loads(make_catalogue().model_dump_json(exclude_unset=True))
        with pytest.raises(TaipanError, match=message):
            validate_keys(Catalogue, {**content, **change})

    def test_columns_of_a_collection_have_as_many_objects(self) -> None:
        with pytest.raises(ValueError, match=r"`columns.Jet_eta` lists 1 columns, `Jet_pt` 2"):
            make_catalogue(columns={"Jet_pt": ["a", "b"], "Jet_eta": ["c"]})
