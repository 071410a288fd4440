"""The folder that `taipan new` makes: complete, valid, and as its comments say."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import uproot

from taipan.checks.source import check_results
from taipan.cli.main import main
from taipan.config.load import load_catalogue, load_config
from taipan.config.slices import hash_config
from taipan.errors import TaipanError
from taipan.new_analysis import make_analysis
from taipan.reproduce.project_files import list_project_files as project_files
from taipan.results_owner import claim_results
from taipan.simulation import load_simulation

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "luminosity": 0.1,
    "mu": 1.0,
    "events": {"DrellYan": 3000, "TTbar": 2000, "Resonance": 4000},
}


def test_new_folder_has_all_files_of_the_template(tmp_path: Path) -> None:
    folder = make_analysis("mine", tmp_path)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "analysis.yaml",
        "selection.py",
        "simulation.py",
        "datasets/simulation.yaml",
        "corrections/corrections.json",
    }
    for path in folder.rglob("*.*"):
        if path.is_file():
            assert "demo" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["1st", "a-b", "a b", "a/b", ""])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TaipanError, match="is not a name"):
        make_analysis(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    mine = make_analysis("mine", tmp_path) / "selection.py"
    mine.write_text("# work of a week", encoding="utf-8")
    with pytest.raises(TaipanError, match="is there already"):
        make_analysis("mine", tmp_path)
    assert mine.read_text(encoding="utf-8") == "# work of a week"


def test_the_command_says_how_to_check_and_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    assert main(["new", "mine"]) == 0
    assert main(["new", "mine", "--at", "elsewhere"]) == 0
    out = capsys.readouterr().out
    assert "./run --config analysis=mine\n" in out
    assert "./run --config analysis=elsewhere/mine\n" in out
    for analysis in ("mine", "elsewhere/mine"):
        assert main(["config", "check", "--analysis", analysis]) == 0
        assert "mine on simulation: 2 fb⁻¹, 3 samples" in capsys.readouterr().out
    # its code was named; what only a file names does not run
    (tmp_path / "overlay.yaml").write_text("analysis: elsewhere/mine\n", encoding="utf-8")
    assert main(["config", "check", "--config", "overlay.yaml"]) == 1
    assert "is not shipped with Taipan" in capsys.readouterr().err


def test_elsewhere_the_command_asks_for_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It made config/analyses in any working folder, where no run finds it."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", "mine"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"taipan: error: config/analyses is not here, in {tmp_path} (work in")
    assert list(tmp_path.iterdir()) == []


def test_results_of_another_analysis_of_this_name_are_not_overwritten(tmp_path: Path) -> None:
    one, two = (make_analysis("mine", tmp_path / place) for place in ("one", "two"))
    results = tmp_path / "results"

    def problems(folder: Path) -> list[str]:
        config = load_config({"analysis": str(folder), "results": str(results)}, ROOT)
        return list(check_results(config, load_catalogue(config)))

    assert problems(one) == []
    claim_results(results / "mine", str(one))
    assert problems(one) == []
    assert problems(two) == [
        f"results: '{results}/mine' holds the results of another analysis of this name, {one} (say "
        f"another folder, such as results: {results}-2, or remove it)"
    ]
    one.rename(tmp_path / "moved")  # it owns nothing any more
    assert problems(two) == []
    assert problems(two.rename(one)) == []


def test_it_has_one_signal_two_backgrounds_and_a_systematic_of_three_kinds(tmp_path: Path) -> None:
    config = load_config({"analysis": str(make_analysis("mine", tmp_path))}, ROOT)
    assert [s.role for s in config.samples.values()] == ["background", "background", "signal"]
    assert [s.kind for s in config.systematics.values()] == ["rate", "weight", "kinematic"]


def test_simulation_is_the_same_for_the_same_seed_and_has_its_resonance(tmp_path: Path) -> None:
    simulation = load_simulation(make_analysis("mine", tmp_path))
    content = []
    for number, seed in enumerate((1, 1, 2)):
        path = tmp_path / f"{number}.root"
        simulation.simulate("Resonance", path, SETTINGS, seed)
        content.append(path.read_bytes())
    assert content[0] == content[1] != content[2]
    with uproot.open(tmp_path / "0.root") as file:
        muons = file["Events"].arrays(["Muon_pt", "Muon_eta", "Muon_phi"])
    muons = muons[[len(pt) == 2 for pt in muons.Muon_pt]]
    pt, eta, phi = (np.asarray(muons[f"Muon_{name}"]) for name in ("pt", "eta", "phi"))
    angles = np.cosh(eta[:, 0] - eta[:, 1]) - np.cos(phi[:, 0] - phi[:, 1])
    mass = np.sqrt(2.0 * pt[:, 0] * pt[:, 1] * angles)
    assert np.median(mass) == pytest.approx(400.0, rel=0.01)


def test_pseudo_data_are_as_many_as_luminosity_and_strength_ask_for(tmp_path: Path) -> None:
    simulation = load_simulation(make_analysis("mine", tmp_path))
    for mu, expected in ((0.0, 1000.0), (10.0, 1150.0)):
        path = tmp_path / f"{mu}.root"
        simulation.simulate("Data", path, {**SETTINGS, "mu": mu}, 5)
        with uproot.open(path) as file:
            number = file["Events"].num_entries
            assert "genWeight" not in file["Events"].keys()  # noqa: SIM118 (a tree is no mapping)
        assert number == pytest.approx(expected, abs=4.0 * expected**0.5)


def test_where_a_folder_lies_changes_no_hash_and_no_bundle(tmp_path: Path) -> None:
    """Its files are in the bundle as those of config/analyses, its code is not."""
    hashes, files = set(), []
    for place in ("one", "two"):
        config = load_config({"analysis": str(make_analysis("mine", tmp_path / place))}, ROOT)
        hashes.add(hash_config(config))
        files.append(project_files(config, load_catalogue(config), ROOT))
    assert len(hashes) == 1
    assert files[0] == files[1]
    folder = "config/analyses/mine"
    assert {name for name in files[0] if name.startswith(folder)} == {
        f"{folder}/analysis.yaml",
        f"{folder}/datasets/simulation.yaml",
        f"{folder}/corrections/corrections.json",
    }
    assert b"file: corrections/corrections.json" in files[0][f"{folder}/analysis.yaml"]
    assert str(tmp_path).encode() not in b"".join(files[0].values())
