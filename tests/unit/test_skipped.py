"""Chunks of damaged files: what is lost is counted, said, and left out of the normalisation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from taipan.errors import TaipanError
from taipan.skim.parts import GeneratedSums, Part
from taipan.skipped import Skipped, count_skipped, describe_skipped, luminosity_read
from taipan.stages.normalise import normalise
from tests.unit.test_normalisation import catalogue, flow

NAME, DATA = "DYJetsToLL", "Run2012B_TauPlusX"
EXPECTED: dict[str, int | None] = {NAME: 1000, DATA: 400}


def skipped(dataset: str, start: int, stop: int | None) -> Skipped:
    return Skipped(dataset, f"{dataset}.root", start, stop, f"{dataset}.root is truncated")


def test_lost_events_are_those_not_read() -> None:
    parts = [skipped(NAME, 500, None), skipped(DATA, 0, 100)]
    flows = {NAME: [flow(NAME, 500)], DATA: [flow(DATA, 300)]}
    assert count_skipped(parts, flows, EXPECTED) == {NAME: 500, DATA: 100}
    assert count_skipped([], flows, EXPECTED) == {}


@pytest.mark.parametrize("read", [200, 301, 400])
def test_missing_chunk_is_not_mistaken_for_a_skipped_one(read: int) -> None:
    with pytest.raises(TaipanError, match="a chunk is missing or was read twice"):
        count_skipped([skipped(DATA, 0, 100)], {DATA: [flow(DATA, read)]}, EXPECTED)


def test_dataset_without_any_event_or_size_is_named() -> None:
    with pytest.raises(TaipanError, match=f"'{NAME}': every chunk was skipped: {NAME}.root is"):
        count_skipped([skipped(NAME, 0, None)], {NAME: []}, EXPECTED)
    with pytest.raises(TaipanError, match=f"datasets.{NAME}.generated_events: missing"):
        count_skipped([skipped(NAME, 9, None)], {NAME: [flow(NAME, 9)]}, {NAME: None})


def test_luminosity_follows_the_events_of_each_dataset() -> None:
    """A quarter of run B, 0.4412 fb⁻¹, is lost; simulation takes no luminosity away."""
    read = luminosity_read(catalogue("cms-2012-reduced"), 1.1467, {DATA: 100, NAME: 500}, EXPECTED)
    assert read == pytest.approx(1.1467 - 0.25 * 0.4412, rel=1e-12)


def test_everything_is_said() -> None:
    parts = [skipped(NAME, 500, None), skipped(DATA, 0, 100)]
    reduced = catalogue("cms-2012-reduced")
    lines = describe_skipped(reduced, parts, {NAME: 500, DATA: 100}, EXPECTED, (1.1467, 1.0364))
    assert len(lines) == 3
    assert f"500 of 1000 events of {NAME} (50 %) were skipped" in lines[0]
    assert f"({NAME}.root is truncated); it is normalised to the events that" in lines[0]
    assert f"100 of 400 events of {DATA} (25 %) were skipped ({DATA}.root is truncated)" in lines[1]
    assert lines[1].endswith(")")
    assert "0.1103 of 1.147 fb⁻¹ of data were skipped" in lines[2]
    assert "simulation is normalised to 1.036 fb⁻¹" in lines[2]
    assert describe_skipped(reduced, [], {}, EXPECTED, (1.1467, 1.1467)) == []


def part(file: str, start: int, stop: int, entries: int, met: str = "MET_pt") -> dict[str, Any]:
    number = stop - start
    sums = GeneratedSums(number, number, number)
    return Part(file, start, stop, entries, sums, branches={"MET_pt": met}).to_dict()


def run_script(folder: Path, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Normalise two datasets, half of the simulation and a quarter of the data skipped."""
    contents = [
        {**flow(NAME, 500).to_dict(), "part": part("f", 0, 500, 1000)},
        {"dataset": NAME, "cuts": [], "file": "f", "start": 500, "stop": None, "skipped": "bad"},
        {**flow(DATA, 300).to_dict(), "part": part("g", 100, 400, 400)},
        {"dataset": DATA, "cuts": [], "file": "g", "start": 0, "stop": 100, "skipped": "bad"},
    ]
    paths = []
    for i, content in enumerate(contents):
        paths.append(str(folder / f"{i}.json"))
        Path(paths[-1]).write_text(json.dumps(content), encoding="utf-8")
    arguments: dict[str, Any] = {
        "cutflows": paths,
        "nominal": [],
        "catalogue": catalogue("cms-2012-reduced").model_dump(mode="json"),
        "luminosity": 1.1467,
        "data": None,
        "expected_events": EXPECTED,
        "normalisation": str(folder / "normalisation.json"),
        "cutflow": str(folder / "cutflow.json"),
        "table": str(folder / "cutflow.csv"),
        "skipped": str(folder / "skipped.json"),
        "identities": {},
    }
    normalise(**{**arguments, **changes})
    names = ("normalisation.json", "skipped.json")
    first, second = (json.loads((folder / n).read_text(encoding="utf-8")) for n in names)
    return first, second


def test_normalisation_uses_what_was_read(tmp_path: Path) -> None:
    """Half the simulated events weigh twice as much, on the luminosity that was read."""
    found, record = run_script(tmp_path)
    luminosity = 1.1467 - 0.25 * 0.4412
    assert found[NAME]["generated_events"] == 500
    assert found[NAME]["sumw"] == 500.0
    assert found[NAME]["skipped_events"] == 500
    assert found[NAME]["scale"] == pytest.approx(3503.7 * 1000.0 * luminosity / 500.0, rel=1e-12)
    assert found[DATA]["scale"] == 1.0
    assert found[DATA]["skipped_events"] == 100
    assert record["luminosity"] == pytest.approx(luminosity, rel=1e-12)
    assert record["events"] == {NAME: 500, DATA: 100}
    assert len(record["warnings"]) == 3


def test_alternative_datasets_take_the_luminosity_of_the_data_read(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"luminosity": 1.0}', encoding="utf-8")
    found, _ = run_script(
        tmp_path, data=str(tmp_path / "data.json"), expected_events={NAME: 1000, DATA: 400}
    )
    luminosity = 1.0 - 0.25 * 0.4412
    assert found[NAME]["luminosity"] == pytest.approx(luminosity, rel=1e-12)


def test_alternative_datasets_have_the_branches_of_the_nominal_ones(tmp_path: Path) -> None:
    """They were compared with each other only: PUPPI MET in one went with MET in the rest."""
    nominal = [tmp_path / "n0.json", tmp_path / "n1.json"]
    content = {**flow("TTbar", 10).to_dict(), "part": part("t", 0, 10, 10)}
    nominal[0].write_text(json.dumps(content), encoding="utf-8")
    left_out = {"dataset": "TTbar", "cuts": [], "file": "t", "start": 10, "stop": 20}
    nominal[1].write_text(json.dumps({**left_out, "skipped": "bad"}), encoding="utf-8")
    paths = [str(path) for path in nominal]
    assert run_script(tmp_path, nominal=paths)[0][NAME]["sumw"] == 500.0
    content["part"] = part("t", 0, 10, 10, met="PUPPI MET")
    nominal[0].write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(
        TaipanError, match="MET_pt is 'PUPPI MET' in dataset 'TTbar' but 'MET_pt' in 'DYJetsToLL'"
    ):
        run_script(tmp_path, nominal=paths)
