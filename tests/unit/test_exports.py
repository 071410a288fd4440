"""Events and tables for other programs: what is written, and what is left out."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from pyarrow import parquet

from taipan.atomic import write_json
from taipan.cli.main import main
from taipan.commands.flat_files import FORMATS, TableFile, file_format
from taipan.errors import TaipanError
from taipan.summary.paper_tables import (
    latex_rows,
    list_all_yields,
    tabulate_fitted,
    tabulate_parameters,
    tabulate_yields,
    write_label,
)

NAMES = {"region": ["signal", "side"]}
BLOCKS = (
    {"region": np.array(["side"], dtype=object), "x": np.array([1.5]), "fold": np.array([1])},
    {
        "region": np.array(["signal", "side"], dtype=object),
        "x": np.array([np.nan, -2.0]),
        "fold": np.array([0, 1]),
    },
)


@pytest.mark.parametrize("kind", FORMATS)
def test_rows_of_all_blocks_are_in_the_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"events.{kind}"
    with TableFile(path, kind, NAMES) as file:
        for block in BLOCKS:
            file.add(block)
        assert file.rows == 3
    if kind == "parquet":
        table = parquet.read_table(path).to_pydict()
        assert table == {"region": ["side", "signal", "side"], "x": [1.5, None, -2.0],
                         "fold": [1, 0, 1]}  # fmt: skip
    elif kind == "csv":
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        assert rows == [["region", "x", "fold"], ["side", "1.5", "1"], ["signal", "", "0"],
                        ["side", "-2", "1"]]  # fmt: skip
    else:
        with uproot.open(path) as found:
            tree = found["events"].arrays(library="np")
            names = str(found["region"]).splitlines()
        assert [names[code] for code in tree["region"]] == ["side", "signal", "side"]
        np.testing.assert_array_equal(tree["x"], [1.5, np.nan, -2.0])


def test_another_ending_is_refused() -> None:
    with pytest.raises(TaipanError, match=r"'a\.xls' ends in none of \.parquet, \.csv, \.root"):
        file_format(Path("a.xls"))


SUMMARY: dict[str, Any] = {
    "fitted_regions": ["signal"],
    "yields": {
        "signal": {
            "TT": {"yield": 30.0, "stat": 3.0},
            "QCD": {"yield": 40.0, "stat": 4.0},
            "ZTT": {"yield": -1.0e-15, "stat": 0.0},
            "data": {"yield": 75.0, "stat": 8.66},
        },
        "side": {"TT": {"yield": 7.0, "stat": 1.0}},
    },
}
LABELS = {"TT": "t$\\bar{t}$", "QCD": "multijet"}


def test_yields_have_labels_errors_and_a_sum() -> None:
    """30 ± 3 and 40 ± 4 are 70 ± 5; what is left of equal numbers is nothing."""
    assert tabulate_yields(SUMMARY, LABELS, {"signal": "$m_T$ < 30"}) == [
        ["", "$m_T$ < 30"],
        ["t$\\bar{t}$", "30.0 ± 3.0"],
        ["multijet", "40.0 ± 4.0"],
        ["ZTT", "–"],
        ["Prediction", "70.0 ± 5.0"],
        ["Data", "75"],
    ]
    rows = list_all_yields(SUMMARY, LABELS, {"signal": "$m_T$ < 30"})
    assert rows[1] == ["signal", "m_T < 30", "TT", "tt\u0304", "30", "3"]
    assert [row[2] for row in rows[1:]] == ["TT", "QCD", "data", "TT"]


def test_what_is_fitted_is_net_and_blinded_data_stay_away() -> None:
    numbers = {
        "samples": {"QCD": {"label": "multijet"}, "ZTT": {"label": "Z"}, "W": {"label": "W"}},
        "panels": [
            {
                "region": "signal",
                "region_label": "OS",
                "samples": {"QCD": [79.0, -0.5], "ZTT": [1e-15, -1e-15], "W": [2.25, 0.0]},
                "total": [81.25, -0.5],
                "data": None,
            }
        ],
    }
    assert tabulate_fitted(numbers, {"signal": {"sum_sigma": 9.0}}) == [
        ["", "OS"],
        ["multijet", "78.5"],
        ["W", "2.25"],
        ["Prediction", "80.8 ± 9.0"],
        ["Data", "blinded"],
    ]


def test_a_free_parameter_has_no_pull() -> None:
    result = {
        "parameters": [{"name": "norm", "pull": None, "constraint": None}],
        "impacts": [{"name": "norm", "postfit": [0.25, -1e-17], "prefit": None}],
    }
    assert tabulate_parameters(result)[1] == ["norm", "–", "–", "0.250", "0.000"]


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("t$\\bar{t}$ & more", r"t$\bar{t}$ \& more"),
        ("OS, $m_T$ < 30 GeV", r"OS, $m_T$ \textless{} 30 GeV"),
        ("Z→ℓℓ", r"Z$\to$$\ell$$\ell$"),
        ("$\\input{/etc/passwd}$", "input/etc/passwd"),
        ("$\\bar{t$", r"bart"),
        ("5 $", "5 "),
    ],
)
def test_labels_keep_their_mathematics_and_run_nothing(label: str, written: str) -> None:
    assert write_label(label) == written
    assert latex_rows([["a", "b"], [label, "1"]]).splitlines()[4] == rf"{written} & 1 \\"


def test_tables_of_no_run_and_of_several_eras_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results" / "mine"
    arguments = ["export", "tables", str(results), "--out", str(tmp_path / "tables")]
    assert main(arguments) == 1
    message = "no finished run (summary.json is missing); make one with ./run"
    assert message in capsys.readouterr().err
    results.mkdir(parents=True)
    write_json(results / "summary.json", {"eras": {"2016": {}}, "analysis": "mine"})
    assert main(arguments) == 1
    assert f"name one of them ({results}/eras/2016/mine)" in capsys.readouterr().err
    assert not (tmp_path / "tables").exists()
