"""tt̄ of the Analysis Grand Challenge: selection on hand-made and real events, and simulation."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from taipan.analysis_folder import import_part, shipped_folder
from taipan.config.load import load_catalogue, read_config
from taipan.datasets import nominal_datasets, total_luminosity
from tests.conftest import ROOT
from tests.real_data import real_data

FOLDER = shipped_folder("agc_ttbar")
SELECTION = import_part(FOLDER, "selection")
SIMULATION = import_part(FOLDER, "simulation")
REAL, needs_real = real_data("nanoaod-samples")
SETTINGS = {"luminosity": 0.002, "mu": 1.0, "events": dict.fromkeys(SIMULATION.DATASETS, 2_000)}


def parity() -> ModuleType:
    """Give the benchmark, which counts the objects of real files."""
    spec = importlib.util.spec_from_file_location("agc_parity", ROOT / "benchmarks/agc_parity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def jets(**fields: list[list[float]]) -> Any:
    values = {"mass": None, "jetId": None, "phi": None, **fields}
    shape = fields["pt"]
    defaults = {"mass": 0.0, "jetId": 6, "phi": 0.0}
    return ak.zip(
        {
            name: [[defaults[name] for _ in row] for row in shape] if value is None else value
            for name, value in values.items()
        }
    )


def test_jets_with_leptons_and_soft_ones_are_left_out() -> None:
    found = SELECTION.jets(
        SimpleNamespace(
            Jet=jets(
                pt=[[31.0, 29.0, 50.0, 60.0, 70.0]],
                eta=[[0.0, 0.0, 2.5, -2.3, 1.0]],
                jetId=[[6, 6, 6, 6, 2]],
                btagCSVV2=[[0.1] * 5],
            )
        )
    )
    assert found.pt.tolist() == [[31.0, 60.0]]


def test_cuts_are_those_of_the_specification() -> None:
    four = jets(
        pt=[[40.0] * 4, [40.0] * 4, [40.0] * 3, [40.0] * 4],
        eta=[[0.0] * 4, [0.0] * 4, [0.0] * 3, [0.0] * 4],
        btagCSVV2=[[0.5, 0.1, 0.1, 0.1], [0.9] * 4, [0.9] * 3, [0.49] * 4],
    )
    one, none, two = [{"pt": 40.0}], [], [{"pt": 40.0}, {"pt": 50.0}]
    events = SimpleNamespace(
        Electron=ak.Array([one, two, one, none]), Muon=ak.Array([none, none, none, one]), Jet=four
    )
    masks = {name: ak.to_list(mask) for name, mask in SELECTION.cuts(events).items()}
    assert masks == {
        "one lepton": [True, False, True, True],
        "four jets": [True, True, False, True],
        "b-tag": [True, True, True, False],
    }


def test_every_alternative_differs_from_the_nominal_simulation(tmp_path: Path) -> None:
    counts = {}
    for name in ("ttbar", *SIMULATION.VARIED):
        SIMULATION.write_dataset(name, tmp_path / f"{name}.root", SETTINGS, seed=1)
        tree = uproot.open(tmp_path / f"{name}.root")["Events"]
        assert tree.num_entries == 2_000
        counts[name] = float(ak.mean(ak.sum(tree["Jet_pt"].array(), axis=1)))
    assert len({round(value, 6) for value in counts.values()}) == len(counts)
    assert counts["ttbar_scaleup"] > counts["ttbar_scaledown"]


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        SIMULATION.write_dataset(SIMULATION.DATA, tmp_path / f"{name}.root", SETTINGS, seed=1)
    assert (tmp_path / "a.root").read_bytes() == (tmp_path / "b.root").read_bytes()


def test_catalogues_have_the_cross_sections_of_the_challenge() -> None:
    config = read_config([], ROOT, analysis="agc_ttbar")
    simulated = load_catalogue(config)
    public = load_catalogue(config.model_copy(update={"catalogue": "cms-2015-agc"}))
    assert set(simulated.datasets) == {*public.datasets, SIMULATION.DATA}
    assert set(simulated.datasets) == set(SIMULATION.DATASETS)
    for name, entry in simulated.datasets.items():
        if entry.is_data:
            continue
        other = public.dataset(name)
        assert entry.cross_section is not None
        assert other.cross_section is not None
        assert entry.cross_section.value == other.cross_section.value
        made = SIMULATION.PROCESSES.get(name, SIMULATION.PROCESSES["ttbar"])
        assert entry.effective_cross_section == pytest.approx(made, rel=1e-6)
    # the numbers of the public list: nine files with 10,455,719 events
    files = [entry for entry in public.datasets.values() if not entry.is_data]
    assert sum(entry.generated_events or 0 for entry in files) == 10_455_719
    assert sum(len(entry.files) for entry in files) == 9
    assert public.pseudo_data is not None
    assert public.pseudo_data.value == 3.378
    assert total_luminosity(config, public) == 3.378
    assert nominal_datasets(config, public) == nominal_datasets(config, simulated)[1:]


def test_both_regions_have_an_observable_of_their_own() -> None:
    config = read_config([], ROOT, analysis="agc_ttbar")
    fitted = {
        name: region.choose_observable(config.fit.observable)
        for name, region in config.regions.items()
    }
    assert fitted == {"one_tag": "ht", "two_tags": "m_trijet"}
    assert config.fit.poi == "ttbar_norm"
    assert not config.features


def test_scale_has_a_simulation_for_each_direction() -> None:
    item = read_config([], ROOT, analysis="agc_ttbar").systematics["ttbar_scale"]
    assert item.varied == ("up", "down")
    found = [list(item.replacements(sign)) for sign in (1.0, -1.0)]
    assert found == [["ttbar_scaleup"], ["ttbar_scaledown"]]


def test_b_tag_weight_is_that_of_the_challenge() -> None:
    import correctionlib

    btag = correctionlib.CorrectionSet.from_file(str(FOLDER / "corrections/btag.json"))["btag"]
    assert btag.evaluate(np.array([50.0, 100.0])) == pytest.approx([1.075, 1.15])


@needs_real
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("nanoAOD_2015_CMS_Open_Data_ttbar", [14, 0, 77, 14, 0, 0]),
        ("nano_tt_v12", [20, 26, 940, 46, 41, 39]),
    ],
)
def test_objects_of_real_files_are_counted_as_by_rdataframe(name: str, counts: list[int]) -> None:
    """The numbers are those of ``benchmarks/agc_rdataframe.py``."""
    found = parity().count_objects(SELECTION, REAL / f"{name}.root")
    assert list(found) == ["electron", "muon", "jet", "one lepton", "four jets", "b-tag"]
    assert list(found.values()) == counts
