"""Full NanoAOD: other names, RNTuple storage, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pytest

from taipan.analysis import Alternative, Columns
from taipan.atomic import read_json
from taipan.columns.nanoaod_2012 import ALTERNATIVES
from taipan.columns.working_points import any_of, at_least, has_bits
from taipan.errors import TaipanError
from taipan.skim.cutflow import Cutflow
from taipan.skim.run import Chunk, skim_chunk
from taipan.skim.schema import choose_alternatives, map_branches
from taipan.skim.storage import read_events
from tests.conftest import skim_settings
from tests.htautau import ANALYSIS
from tests.nanoaod_files import TAU_27, rewrite, to_v7, to_v15
from tests.real_data import real_data

REAL, needs_samples = real_data("nanoaod-samples")


def skim(
    file: Path, folder: Path, analysis: Any = ANALYSIS, **changes: Any
) -> tuple[Columns, Cutflow, dict[str, Any]]:
    settings = skim_settings("DYJetsToLL", **changes)
    outputs = folder / "events.parquet", folder / "cutflow.json"
    flow = skim_chunk(Chunk(file), analysis, settings, *outputs, {})
    return read_events([outputs[0]], ANALYSIS.columns), flow, read_json(outputs[1])["part"]


@pytest.mark.parametrize("ntuple", [False, True], ids=["TTree", "RNTuple"])
@pytest.mark.parametrize("version", [None, to_v7, to_v15], ids=["reduced", "v7", "v15"])
def test_every_version_and_storage_gives_the_same_events(
    root_file: Path, tmp_path: Path, version: Any, ntuple: bool
) -> None:
    expected, flow, part = skim(root_file, tmp_path / "reduced")
    assert all(name == meaning for name, meaning in part["branches"].items())
    file = tmp_path / "full.root"
    rewrite(root_file, file, version or (lambda columns: None), ntuple=ntuple)
    found, full, part = skim(file, tmp_path / "full")
    assert full == flow
    assert flow.cuts[-1].events > 1000
    for name, values in expected.items():
        tolerance = 1e-6 if name == "Tau_relIso_all" and version else 0.0
        kinds = np.sign if name == "Jet_puId" else np.asarray  # another mask, the same jets
        np.testing.assert_allclose(kinds(found[name]), kinds(values), rtol=tolerance, err_msg=name)
    if version is to_v15:
        assert part["branches"]["MET_pt"] == "PUPPI MET"
        assert part["branches"]["Jet_puId"] == "PUPPI jets, all accepted"


def test_collision_data_need_no_generator_record(root_file: Path, tmp_path: Path) -> None:
    def strip(columns: dict[str, Any]) -> None:
        for name in [n for n in columns if "genPart" in n or n.startswith("GenPart")]:
            del columns[name]
        to_v15(columns)

    rewrite(root_file, tmp_path / "data.root", strip)
    found, flow, part = skim(tmp_path / "data.root", tmp_path / "out", is_data=True)
    assert flow.cuts[-1].events > 1000
    assert "Muon_genPartIdx" not in part["branches"]
    assert not np.nan_to_num(found["Tau_genuine"]).any()


def test_absent_branch_is_refused_by_name(root_file: Path, tmp_path: Path) -> None:
    def spoil(columns: dict[str, Any]) -> None:
        to_v15(columns)
        del columns["PuppiMET_phi"], columns["PFMET_phi"]
        del columns["Jet_btagUParTAK4B"]  # so nothing says that these are PUPPI jets

    rewrite(root_file, tmp_path / "poor.root", spoil)
    with pytest.raises(TaipanError) as caught:
        skim(tmp_path / "poor.root", tmp_path / "out")
    message = str(caught.value)
    assert "poor.root: missing branch" in message
    assert "'MET_phi' (nor is there PUPPI MET; particle-flow MET)" in message
    assert "'Jet_puId' (nor is there PUPPI jets, all accepted)" in message
    assert "Tau_" not in message
    assert not list((tmp_path / "out").glob("*"))


class Tree:
    """Branches with titles and values."""

    def __init__(self, **branches: Any) -> None:
        self.branches = branches

    def keys(self) -> list[str]:
        return list(self.branches)

    def __getitem__(self, name: str) -> Any:
        return SimpleNamespace(title=self.branches[name])


@pytest.mark.parametrize(
    ("title", "tight", "medium"),
    [
        ("byDeepTau: bitmask 1 = VVVLoose, 2 = VVLoose, 32 = Tight", 0b111111, 0b11111),
        ("byDeepTau: 1 = VVVLoose, 5 = Medium, 6 = Tight, 7 = VTight", 6, 5),
    ],
)
def test_title_tells_a_mask_from_a_number(title: str, tight: int, medium: int) -> None:
    """NanoAODv10 gave the DeepTau working points new values under the old names."""
    name = "Tau_idAntiEleTight"
    tree = Tree(Tau_idDeepTau2017v2p1VSe=title)
    derive = choose_alternatives(tree, [name], ALTERNATIVES, "file")[name].derive
    assert derive is not None
    assert ak.to_list(derive(ak.Array([[tight, medium], [0]]))) == [[True, False], [False]]
    with pytest.raises(TaipanError, match="Tau_idAntiEleTight"):
        choose_alternatives(Tree(Tau_idDeepTau2017v2p1VSe=""), [name], ALTERNATIVES, "file")


def test_own_branch_comes_first_unless_it_means_something_else() -> None:
    table = {"a": (Alternative(("b",), "b"),), "c": (Alternative(("d",), "d", preferred=True),)}
    tree = Tree(a="", b="", c="", d="")
    assert list(choose_alternatives(tree, ["a", "c"], table, "file")) == ["c"]
    assert map_branches(Tree(a="", c=""), ["a", "c"], table, "file").keys() == ["a", "c"]
    assert choose_alternatives(Tree(b="", c=""), ["a", "c"], table, "file").keys() == {"a"}


def test_working_points() -> None:
    values = ak.Array([[0, 1, 2, 3], [4]])
    assert ak.to_list(has_bits(2)(values)) == [[False, False, True, True], [False]]
    assert ak.to_list(at_least(2)(values)) == [[False, False, True, True], [True]]
    assert ak.to_list(any_of(ak.Array([0, 1, 0]), ak.Array([0, 0, 1]))) == [False, True, True]


def test_decay_modes_of_2012() -> None:
    derive = ALTERNATIVES["Tau_idDecayMode"][1].derive
    assert derive is not None
    modes = ak.Array([[0, 1, 2, 5, 6], [10, 11]])
    assert ak.to_list(derive(modes)) == [[True, True, True, False, False], [True, False]]


@needs_samples
class TestRealFiles:
    """Files of CMS; any trigger, because of so few events hardly one passes the right one."""

    ANY_TRIGGER = replace(
        ANALYSIS,
        alternatives={
            **ALTERNATIVES,
            "HLT_IsoMu17_eta2p1_LooseIsoPFTau20": (
                Alternative(
                    ("HLT_ZeroBias",), "any event", preferred=True, markers=("HLT_IsoMu18",)
                ),
                Alternative(("HLT_IsoMu24",), "single muon", preferred=True),
            ),
        },
    )

    def test_open_data_of_2015(self, tmp_path: Path) -> None:
        file = REAL / "nanoAOD_2015_CMS_Open_Data_ttbar.root"
        _, flow, part = skim(file, tmp_path / "tau")
        assert flow.cuts[0].events == 200
        assert flow.cuts[0].sumw == pytest.approx(33_432_083.06, rel=1e-9)  # 13 % are negative
        assert part["branches"]["Tau_idAntiEleTight"] == "MVA6 against electrons, tight"
        trigger = ANALYSIS.trigger_branches[0]
        assert part["branches"][trigger] == trigger
        _, loose, _ = skim(file, tmp_path / "any", self.ANY_TRIGGER)
        assert loose.cut("trigger").events == 34  # with a muon and a tau
        assert loose.cut("muon").events == 0  # the file's muons all fail the tight ID

    def test_storage_does_not_matter(self, tmp_path: Path) -> None:
        tree, flow, part = skim(REAL / "nano_dy.root", tmp_path / "tree", self.ANY_TRIGGER)
        ntuple, other, _ = skim(
            REAL / "nano_dy_rntuple.root", tmp_path / "ntuple", self.ANY_TRIGGER
        )
        assert flow.cut("muon").events > 0
        assert flow == other
        for name in tree:
            np.testing.assert_array_equal(tree[name], ntuple[name], err_msg=name)
        assert part["generated"]["events"] == 850_098  # the file has 40 of them
        assert part["generated"]["sumw"] == pytest.approx(1.52e10, rel=0.01)
        assert part["read"]["events"] == 40

    def test_collision_data_of_2018(self, tmp_path: Path) -> None:
        _, flow, part = skim(REAL / "nano_dimuon.root", tmp_path, self.ANY_TRIGGER, is_data=True)
        assert flow.cuts[0].events == flow.cuts[0].sumw == 40
        assert part["generated"] is None

    def test_version_12_without_taus_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TaipanError, match=r"nano_tt_v12.root: missing branch .*'Tau_pt'"):
            skim(REAL / "nano_tt_v12.root", tmp_path)

    def test_empty_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TaipanError, match="nano_dy_empty.root has no events"):
            skim(REAL / "nano_dy_empty.root", tmp_path)


def test_trigger_of_the_later_years_is_recorded(root_file: Path, tmp_path: Path) -> None:
    rewrite(root_file, tmp_path / "v7.root", to_v7)
    _, _, part = skim(tmp_path / "v7.root", tmp_path / "out")
    assert "27 GeV" in part["branches"]["HLT_IsoMu17_eta2p1_LooseIsoPFTau20"]
    assert TAU_27 in {a.branches[0] for a in ALTERNATIVES["HLT_IsoMu17_eta2p1_LooseIsoPFTau20"]}
