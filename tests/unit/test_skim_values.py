"""Values that are read: each is finite, and the generator weights make sense."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from taipan.cli.main import main
from taipan.errors import TaipanError
from taipan.skim.generator_weights import SpreadMeter, WeightSpread, typical_weight
from taipan.skim.parts import GeneratedSums, Part, check_generator_weights
from taipan.skim.run import Chunk, skim_chunk
from tests.conftest import skim_settings
from tests.htautau import ANALYSIS
from tests.nanoaod_files import rewrite, to_v7
from tests.unit.test_duplicates import write_flat

Columns = dict[str, Any]


def spoil(name: str, value: float) -> Callable[[Columns], None]:
    """Spoil the first object, or the event, of the third event that passes the trigger."""

    def change(columns: Columns) -> None:
        passed = (columns[ANALYSIS.trigger_branches[0]] != 0) & (ak.num(columns["Muon_pt"]) > 0)
        passed = passed & (ak.num(columns["Tau_pt"]) > 0)
        if columns[name].ndim > 1:
            passed = passed & (ak.num(columns[name]) > 0)
        entry = int(np.flatnonzero(ak.to_numpy(passed))[2])
        values = ak.to_numpy(ak.flatten(columns[name], axis=None)).copy()
        if columns[name].ndim == 1:
            values[entry] = value
            columns[name] = values
        else:
            counts = ak.num(columns[name])
            values[int(ak.sum(counts[:entry]))] = value
            columns[name] = ak.unflatten(values, counts)
        columns["marker"] = np.full(len(passed), entry, np.int32)

    return change


FLOATS = sorted(
    {*ANALYSIS.branches}
    - {"run", "luminosityBlock", "event", "PV_npvs", "Muon_tightId", "Muon_charge", "Tau_charge"}
    - {"Tau_decayMode", "Jet_puId", *(name for name in ANALYSIS.branches if "_id" in name)}
)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("name", FLOATS)
def test_value_that_is_not_finite_is_named_whatever_the_column(
    root_file: Path, tmp_path: Path, name: str, value: float
) -> None:
    """A NaN in the pT of a muon once dropped the muon without a word."""
    file = tmp_path / "bad.root"
    rewrite(root_file, file, spoil(name, value))
    entry = uproot.open(file)["Events/marker"].array(entry_stop=1)[0]
    message = (
        f"{file}: column '{name}' has 1 value NaN or infinite, the first in entry {entry} "
        r"\(every value that is used must be a finite number"
    )
    outputs = tmp_path / "e.parquet", tmp_path / "c.json"
    for chunk in (Chunk(file), Chunk(file, int(entry), None)):
        with pytest.raises(TaipanError, match=message):
            skim_chunk(chunk, ANALYSIS, skim_settings("DYJetsToLL"), *outputs, {})
    assert not (tmp_path / "e.parquet").exists()


@pytest.mark.parametrize("name", ["Tau_rawIso", "Tau_chargedIso", "Tau_neutralIso"])
@pytest.mark.parametrize("ntuple", [False, True])
def test_value_that_is_not_finite_is_named_where_a_branch_is_derived_from_it(
    root_file: Path, tmp_path: Path, name: str, ntuple: bool
) -> None:
    """An isolation below 0.8 GeV is false for a NaN: the tau was dropped without a word."""

    def change(columns: Columns) -> None:
        trigger = columns[ANALYSIS.trigger_branches[0]]
        to_v7(columns)
        columns[ANALYSIS.trigger_branches[0]] = trigger
        spoil(name, np.nan)(columns)
        del columns[ANALYSIS.trigger_branches[0]]

    file = tmp_path / "bad.root"
    rewrite(root_file, file, change, ntuple=ntuple)
    entry = uproot.open(file)["Events"].arrays(["marker"], entry_stop=1)["marker"][0]
    # the isolation over the pT is a NaN, too
    column = "Tau_rawIso" if name == "Tau_rawIso" else "Tau_relIso_all"
    message = f"column '{column}' has 1 value NaN or infinite, the first in entry {entry} "
    outputs = tmp_path / "e.parquet", tmp_path / "c.json"
    with pytest.raises(TaipanError, match=message):
        skim_chunk(Chunk(file), ANALYSIS, skim_settings("DYJetsToLL"), *outputs, {})


@pytest.mark.parametrize("name", ["pt_1", "jpt_2", "iso_1"])
def test_value_of_a_flat_ntuple_that_is_not_finite_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    write_flat(tmp_path / "a.root", 100)
    columns = uproot.open(tmp_path / "a.root")["Events"].arrays(library="np")
    columns[name][[40, 60]] = np.inf
    with uproot.recreate(tmp_path / "a.root") as file:
        file["Events"] = columns
    out = tmp_path / "out.parquet"
    assert main(["skim", "--flat", str(tmp_path / "a.root"), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert f"column '{name}' has 2 values NaN or infinite, the first in entry 40" in error


def weigh(change: Callable[[np.ndarray], None]) -> Callable[[Columns], None]:
    def apply(columns: Columns) -> None:
        weights = np.where(np.arange(len(columns["event"])) % 4, 2.0, -2.0).astype(np.float32)
        change(weights)
        columns["genWeight"] = weights

    return apply


def one_absurd(weights: np.ndarray) -> None:
    weights[1234] = -3e6


def all_zero(weights: np.ndarray) -> None:
    weights[:] = 0


def wide(weights: np.ndarray) -> None:
    weights[1235] = 1.9e6


def skim_weights(
    root_file: Path, folder: Path, change: Callable[[np.ndarray], None], chunk: str = ""
) -> int:
    rewrite(root_file, folder / "w.root", weigh(change))
    (folder / "o.yaml").write_text(f"skim: {{{chunk}}}\n", encoding="utf-8")
    options = ["--config", str(folder / "o.yaml"), "--out", str(folder / "out.parquet")]
    return main(["skim", str(folder / "w.root"), *options])


@pytest.mark.parametrize("chunk", ["", "chunk_events: 1000, step_events: 150", "chunk_events: 1"])
def test_absurd_weight_is_named(
    root_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], chunk: str
) -> None:
    """A single one can outweigh the sample; a chunk that holds nothing else shows nothing."""
    if chunk == "chunk_events: 1":
        spreads = [WeightSpread(1, 2.0, 2.0, i) for i in range(9)]
        spreads.append(WeightSpread(1, 3e6, -3e6, 9))
        sums = GeneratedSums(1, 2.0, 4.0)
        parts = [
            Part("w.root", i, i + 1, 10, sums, weighted=True, weights=spread)
            for i, spread in enumerate(spreads)
        ]
        with pytest.raises(TaipanError, match=r"w.root: genWeight of entry 9 is -3e\+06"):
            check_generator_weights("x", parts)
        return
    assert skim_weights(root_file, tmp_path, one_absurd, chunk) == 1
    error = capsys.readouterr().err
    assert "genWeight of entry 1234 is -3e+06, but the median of |genWeight| is 2 (at" in error
    assert not (tmp_path / "out.parquet").exists()


def test_weights_that_are_all_zero_are_named(
    root_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert skim_weights(root_file, tmp_path, all_zero) == 1
    assert "genWeight is zero in all 4000 events of" in capsys.readouterr().err


def test_wide_weights_pass(root_file: Path, tmp_path: Path) -> None:
    assert skim_weights(root_file, tmp_path, wide) == 0


def test_median_of_weights_needs_bounded_memory() -> None:
    """Of four runs of three, the median of the medians; zeros do not count."""
    weights = np.array([1, -2, 3, 0, 4, 5, 60, 7, 8, 9, 1, 1, -1], np.float32)
    meter = SpreadMeter(run_events=3)
    for first, weight in enumerate(weights):
        meter.add(weights[first : first + 1], first)
        assert meter._held < 3, weight
    assert meter.result() == WeightSpread(12, 2.0, 60.0, 6)
    exact = SpreadMeter()
    exact.add(weights, 100)
    assert exact.result() == WeightSpread(12, 3.5, 60.0, 106)
    assert typical_weight([]) == 0.0
