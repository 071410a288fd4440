"""The command ``taipan skim``: the code of the workflow on any file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot

from taipan.atomic import read_json
from taipan.cli.main import main
from taipan.skim.run import Chunk, skim_chunk
from tests.conftest import fastsim_settings, skim_settings
from tests.htautau import ANALYSIS
from tests.nanoaod_files import rewrite, to_v15


@pytest.fixture(scope="module")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from taipan.fastsim import write_dataset

    path = tmp_path_factory.mktemp("data") / "Run2012B.root"
    write_dataset("Run2012B_TauPlusX", path, fastsim_settings(luminosity=0.05), seed=5)
    return path


def skim(*arguments: Path | str) -> int:
    return main(["skim", *map(str, arguments)])


def test_same_events_as_the_workflow(
    root_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.parquet"
    options = ("--analysis", "htautau", "--out", out, "--cutflow", tmp_path / "cutflow.json")
    assert skim(root_file, *options) == 0
    expected = tmp_path / "expected.parquet"
    flow = skim_chunk(
        Chunk(root_file),
        ANALYSIS,
        skim_settings("DYJetsToLL"),
        expected,
        tmp_path / "expected.json",
        {},
    )
    assert pq.read_table(out).equals(pq.read_table(expected))
    assert read_json(tmp_path / "cutflow.json")["cuts"] == flow.to_dict()["cuts"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:6]] == [cut.name for cut in flow.cuts]
    assert lines[1].split()[1] == "4,000"
    assert lines[5].split()[1] == f"{flow.cuts[-1].events:,}"
    assert "generated: 4,000 events, Σ genWeight 4000" in lines


def test_threads_and_chunks_change_nothing(root_file: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "small.yaml"
    overlay.write_text("skim: {chunk_events: 1500}\n", encoding="utf-8")
    # the same name, which is part of the provenance
    one, two, whole = (tmp_path / name / "out.parquet" for name in ("1", "2", "whole"))
    assert skim(root_file, "--config", overlay, "--out", one) == 0
    assert skim(root_file, "--config", overlay, "--out", two, "--threads", "2") == 0
    assert one.read_bytes() == two.read_bytes()
    assert skim(root_file, "--out", whole) == 0
    assert pq.read_table(one).equals(pq.read_table(whole))
    assert [path.name for path in one.parent.iterdir()] == ["out.parquet"]


def test_data_are_recognised(
    data_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(data_file, tmp_path / "v15.root", to_v15)
    out = tmp_path / "out.parquet"
    assert skim(data_file, tmp_path / "v15.root", "--out", out) == 1  # MET and PUPPI MET
    assert "they cannot be analysed together" in capsys.readouterr().err
    assert not out.exists()
    assert skim(tmp_path / "v15.root", "--out", out) == 0
    printed = capsys.readouterr().out
    assert "generated" not in printed
    events = uproot.open(data_file)["Events"].num_entries
    assert f"{events:,}" in printed.splitlines()[1]


def drop_branch(columns: dict[str, Any]) -> None:
    del columns["Tau_idIsoTight"]


def drop_events(columns: dict[str, Any]) -> None:
    for name in columns:
        columns[name] = columns[name][:0]


def put_nan(columns: dict[str, Any]) -> None:
    values = np.array(columns["MET_pt"])
    values[::7] = np.nan
    columns["MET_pt"] = values


def put_infinite_weight(columns: dict[str, Any]) -> None:
    weights = np.ones(len(columns["MET_pt"]), np.float32)
    weights[-1] = np.inf
    columns["genWeight"] = weights


FAULTS = {
    "missing branch": (drop_branch, "missing branch 'Tau_idIsoTight'"),
    "no events": (drop_events, "has no events"),
    "NaN in a column": (put_nan, "column 'MET_pt' has "),
    "infinite weight": (put_infinite_weight, "genWeight is NaN or infinite in 0 to 4000"),
}


class TestBadInput:
    """Each ends with status 1, a message that names the fault, and no output."""

    def fails(
        self, capsys: pytest.CaptureFixture[str], folder: Path, *arguments: Path | str
    ) -> str:
        out = folder / "out" / "out.parquet"
        assert skim(*arguments, "--out", out) == 1
        assert not out.exists()
        assert not out.parent.exists() or not list(out.parent.iterdir())
        error = capsys.readouterr().err
        assert "Traceback" not in error
        return error

    def test_file(
        self, root_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        absent = tmp_path / "absent.root"
        assert "absent.root does not exist" in self.fails(capsys, tmp_path, absent)
        content = root_file.read_bytes()
        (tmp_path / "cut.root").write_bytes(content[: len(content) // 2])
        assert "cut.root" in self.fails(capsys, tmp_path, root_file, tmp_path / "cut.root")
        (tmp_path / "text.root").write_text("text", encoding="utf-8")
        assert "not a readable ROOT" in self.fails(capsys, tmp_path, tmp_path / "text.root")
        assert "is given twice" in self.fails(capsys, tmp_path, root_file, root_file)

    def test_mixture(
        self,
        root_file: Path,
        data_file: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        error = self.fails(capsys, tmp_path, root_file, data_file)
        assert f"{data_file} is collision data, but {root_file} is simulation" in error

    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("fault", FAULTS)
    def test_content(
        self,
        root_file: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        fault: str,
        threads: int,
    ) -> None:
        """The second of two files is bad, so that there is something to leave behind."""
        spoil, message = FAULTS[fault]
        path = tmp_path / "poor.root"
        rewrite(root_file, path, spoil)
        files = (root_file, path, "--threads", str(threads), "--cutflow", tmp_path / "flow.json")
        error = self.fails(capsys, tmp_path, *files)
        assert error.splitlines()[-1].startswith("taipan: error: ")
        assert str(path) in error
        assert message in error
        assert not (tmp_path / "flow.json").exists()

    def test_skipping_is_not_ignored(
        self, root_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The key had no effect, and nothing said so."""
        overlay = tmp_path / "skip.yaml"
        overlay.write_text("skim: {on_bad_file: skip}\n", encoding="utf-8")
        error = self.fails(capsys, tmp_path, root_file, "--config", overlay)
        assert "skim.on_bad_file: 'skip' is for the workflow" in error
        assert "the command takes 'fail'" in error

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("ftp://host/a.root", "ftp://host/a.root: 'ftp' is not a known protocol (http, https,"),
            ("https://host/", "https://host/ is not the URL of a file"),
            ("root:///a.root", "root:///a.root is not the URL of a file"),
        ],
    )
    def test_url(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, message: str
    ) -> None:
        """The two slashes became one, and then the file 'did not exist'."""
        assert message in self.fails(capsys, tmp_path, url)

    def test_analysis(
        self, root_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        error = self.fails(capsys, tmp_path, root_file, "--analysis", "nothing")
        assert "analysis: 'nothing' is not a folder of" in error

    def test_output_is_an_input(self, root_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        before = root_file.read_bytes()
        assert skim(root_file, "--out", root_file) == 1
        assert "is also an input" in capsys.readouterr().err
        assert root_file.read_bytes() == before

    def test_number_of_threads(
        self, root_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            skim(root_file, "--out", tmp_path / "o.parquet", "--threads", "0")
        assert caught.value.code == 2
        assert "0 is not positive" in capsys.readouterr().err
