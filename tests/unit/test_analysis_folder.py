"""The folder of an analysis: each that is shipped is complete; how its files are imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from taipan.analysis_folder import analysis_names, import_part, shipped_folder
from taipan.analysis_selection import load_analysis
from taipan.checks.configuration import check_config
from taipan.config.load import load_catalogue, read_config
from taipan.errors import TaipanError
from taipan.simulation import load_simulation

ROOT = Path(__file__).parents[2]
SHIPPED = analysis_names(ROOT)


def test_four_analyses_are_shipped() -> None:
    assert {"htautau", "zmumu", "agc_ttbar", "higgsml"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_analysis_passes_the_checks(name: str) -> None:
    config = read_config([], ROOT, analysis=name)
    assert (config.analysis, Path(config.folder).name) == (name, name)
    catalogue = load_catalogue(config)
    assert catalogue.kind == "simulation"  # runs without a download
    check_config(config, catalogue, load_analysis(config.folder), writes=False)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_simulation_makes_every_dataset_of_its_catalogue(name: str) -> None:
    config = read_config([], ROOT, analysis=name)
    catalogue = load_catalogue(config)
    assert set(catalogue.datasets) <= set(load_simulation(config.folder).datasets)
    assert {file for item in catalogue.datasets.values() for file in item.files} == {
        f"{dataset}.{'parquet' if catalogue.table else 'root'}" for dataset in catalogue.datasets
    }


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def test_two_folders_of_one_name_are_two_analyses(tmp_path: Path) -> None:
    one = write(tmp_path / "one/mine", selection="from .cuts import PT", cuts="PT = 20")
    two = write(tmp_path / "two/mine", selection="from .cuts import PT", cuts="PT = 25")
    assert import_part(one, "selection").PT == 20
    assert import_part(two, "selection").PT == 25
    assert import_part(one, "selection") is import_part(str(one), "selection")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PT = 1 +", r"selection.py cannot be imported \(SyntaxError: "),
        ("import not_installed", "No module named 'not_installed'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("PT = 20", "has no attribute ANALYSIS of type Analysis"),
    ],
)
def test_a_bad_selection_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TaipanError, match=message):
        load_analysis(write(tmp_path / "mine", selection=text))


def test_a_missing_selection_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match=r"mine/selection.py does not exist"):
        load_analysis(tmp_path / "mine")


@pytest.mark.parametrize("text", ["DATASETS = ()", "def write_dataset(): ..."])
def test_a_simulation_without_its_names_is_refused(tmp_path: Path, text: str) -> None:
    missing = "write_dataset" if "DATASETS" in text else "DATASETS"
    with pytest.raises(TaipanError, match=f"simulation.py has no {missing}"):
        load_simulation(write(tmp_path / "mine", simulation=text))


def test_a_dataset_that_the_simulation_does_not_have_is_named(tmp_path: Path) -> None:
    simulation = load_simulation(shipped_folder("htautau"))
    with pytest.raises(TaipanError, match="no dataset 'TTbr'; did you mean 'TTbar'"):
        simulation.simulate("TTbr", tmp_path / "a.root", {}, 1)


def test_truth_of_a_simulation_that_says_nothing_is_its_settings(tmp_path: Path) -> None:
    text = "DATASETS = ()\ndef write_dataset(*_): ...\n"
    simulation = load_simulation(write(tmp_path / "mine", simulation=text))
    simulation.write_truth(tmp_path / "truth.json", {"mu": 1.5}, 7)
    assert '"mu": 1.5' in (tmp_path / "truth.json").read_text(encoding="utf-8")
