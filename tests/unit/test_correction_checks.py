"""What is wrong with a correction is said in one line, before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taipan.config.load import load_config, read_config
from taipan.config.slices import hash_config
from taipan.config.uncertainties import add_uncertainties
from taipan.errors import TaipanError
from tests.conftest import ROOT
from tests.made_up_corrections import bins, category, sides, write_file
from tests.toy_configuration import ANALYSIS as TOY
from tests.toy_configuration import check, make_config, problems
from tests.unit.test_correction_kinds import ANALYSIS as JETS

OBJECTS = replace(TOY, objects=JETS.objects)


@pytest.fixture
def file(tmp_path: Path) -> str:
    point = {"working_point": "string", "flavor": "int", "pt": "real"}
    flavours = category("flavor", {5: 0.9, 4: 0.9, 0: 1.1})
    return write_file(
        tmp_path / "c.json",
        {
            "id": ({"pt": "real", "syst": "string"}, bins("pt", [0, 100], [sides(1, 1.1, 0.9)])),
            "sf": (point, category("working_point", {"L": flavours, "M": flavours})),
            "shape": ({"cut": "real", "pt": "real"}, bins("cut", [0.2, 0.8], [0.9])),
            "efficiency": ({"pt": "real"}, bins("pt", [0, 100], [0.5])),
        },
    )


def test_what_is_right_has_no_problem(file: str) -> None:
    keys = {"file": file, "correction": "id", "inputs": {"pt": "pt_1"}, "up": "up", "down": "down"}
    check({"corrections": {"one": keys}})
    check({"corrections": {"one": {**keys, "objects": "Jet", "inputs": {}}}}, analysis=OBJECTS)


KNOWS = "is not a text that the input 'syst' of 'id' in {file} knows"
INPUT = "is not a quantity or stored field"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correction": "ib"}, "correction: 'ib' is not a correction of {file} (efficiency, id"),
        (
            {"inputs": {"pt": "m", "eta": "m"}},
            "inputs.eta: 'eta' is not an input of 'id' in",
        ),
        ({"inputs": {"pt": "pt_9"}}, f"inputs.pt: 'pt_9' {INPUT}"),
        ({"inputs": {"pt": "broken"}}, f"inputs.pt: 'broken' {INPUT}"),
        ({"inputs": {"pt": "pt_1 +"}}, "inputs.pt: 'pt_1 +' cannot be parsed"),
        ({"inputs": {"pt": "m", "syst": "dow"}}, f"inputs.syst: 'dow' {KNOWS}"),
        ({"apply": "central"}, f"apply: 'central' {KNOWS} (nominal, up, down)"),
        ({"up": "upp"}, f"up: 'upp' {KNOWS}; did you mean 'up'? (nominal, up, down)"),
        ({"up": "up", "down": "dn"}, f"down: 'dn' {KNOWS}"),
        ({"up": "nominal"}, "up: 'nominal' is what is applied; the uncertainty is nothing"),
        ({"samples": ["SS"]}, "samples[0]: 'SS' is not a simulated sample"),
        ({"samples": ["QCD"]}, "samples[0]: 'QCD' is not a simulated sample"),
        ({"regions": ["xr"]}, "regions[0]: 'xr' is not a region"),
        ({"regions": ["sr"]}, "regions: 'sr' is not shown to be disjoint from 'other'"),
        ({"file": "nowhere.json"}, "file: 'nowhere.json' is not a file"),
        ({"file": "{broken}"}, "file: {broken}: not a correctionlib file"),
        ({"objects": "Tau"}, "objects: 'Tau' is not a collection of the selection"),
        (
            {"objects": "Jet", "inputs": {"pt": "ptt"}},
            f"inputs.pt: 'ptt' {INPUT}; did you mean 'pt'?",
        ),
    ],
)
def test_message(change: dict[str, Any], message: str, file: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    if "file" in change:
        change = {**change, "file": change["file"].replace("{broken}", str(broken))}
    keys = {"file": file, "correction": "id", "inputs": {"pt": "pt_1"}, "up": "up", **change}
    more: dict[str, Any] = {"corrections": {"one": keys}}
    if "regions" in change:
        more["regions"] = {"other": {"cut": "mt_1 < 40"}}
    lines = problems(more, analysis=OBJECTS)
    text = message.replace("{file}", file).replace("{broken}", str(broken))
    text = f"corrections.one.{text}"
    assert any(line.startswith(text) for line in lines), lines
    assert len(lines) == 1 or "regions" in change


def tags(file: str, **more: Any) -> dict[str, Any]:
    keys = {"kind": "btag", "file": file, "correction": "sf", "tagger": "btag",
            "working_points": {"L": 0.5}, "efficiencies": {"file": file}}  # fmt: skip
    return {"corrections": {"tag": {**keys, **more}}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"working_points": {"T": 0.9}},
            "working_points.T: 'T' is not a text that the input 'working_point' of 'sf' in {file} "
            "knows (L, M)",
        ),
        (
            {"working_points": {"L": 0.5, "M": 0.5}},
            "working_points: two have the same threshold",
        ),
        ({"tagger": "csv"}, "tagger: 'csv' is not a stored field of Jet"),
        (
            {"correction": "shape", "working_point": "cut", "working_points": {"L": 0.9}},
            "working_points.L: 0.9 is outside the bins of the input 'cut' of 'shape' in {file} "
            "(0.2 to 0.8)",
        ),
    ],
)
def test_message_of_working_points(change: dict[str, Any], message: str, file: str) -> None:
    lines = problems(tags(file, **change), analysis=OBJECTS)
    assert len(lines) == 1
    assert lines[0].startswith("corrections.tag." + message.replace("{file}", file))


def test_good_working_points_have_no_problem(file: str) -> None:
    check(tags(file), analysis=OBJECTS)
    real = {"correction": "shape", "working_point": "cut", "working_points": {"L": 0.3}}
    check(tags(file, **real), analysis=OBJECTS)


def test_energies_need_an_envelope_and_all_simulation(file: str) -> None:
    keys = {"kind": "energy", "file": file, "correction": "id", "up": "up"}
    (line,) = problems({"corrections": {"jes": keys}}, analysis=OBJECTS)
    assert line.startswith("skim.envelope.jet_pt: missing; corrections.jes lifts objects above")
    with pytest.raises(
        TaipanError, match="corrections.jes: `samples`: a correction of objects acts"
    ):
        make_config({"corrections": {"jes": {**keys, "samples": ["S"]}}})
    with pytest.raises(TaipanError, match="either `uncertainty`, a relative size, or `up`"):
        make_config({"corrections": {"jes": {**keys, "uncertainty": "id"}}})


def test_pileup_is_corrected_once(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"edges": [0, 50], "counts": [1]}')
    keys = {"kind": "pileup", "quantity": "m", "data_profile": f"{tmp_path}/p.json",
            "simulation_profile": f"{tmp_path}/p.json"}  # fmt: skip
    (line,) = problems({"corrections": {"pu": keys}})
    assert line.startswith("pileup.enabled: true weighs the simulation by its vertices")


def test_uncertainty_is_a_systematic_of_its_name(file: str) -> None:
    keys = {"file": file, "correction": "id", "inputs": {"pt": "pt_1"}, "up": "up", "down": "down",
            "decorrelate": "regions", "smooth": "lowess"}  # fmt: skip
    config = make_config(
        {
            "corrections": {
                "one": keys,
                "fixed": {**keys, "up": None, "down": None},
                "some": {**keys, "samples": ["S"], "down": None},
            }
        }
    )
    made = add_uncertainties(config).systematics
    assert list(made)[-2:] == ["one", "some"]
    assert made["one"].samples == ["S", "ZLL", "ZTT"]
    assert (made["one"].decorrelate, made["one"].smoothing) == (["region"], "lowess")
    assert (made["one"].varied, made["some"].varied) == (("up", "down"), ("up",))
    assert made["some"].samples == ["S"]
    taken = make_config({"corrections": {"lumi": keys}})
    with pytest.raises(TaipanError, match="systematics.lumi: the name is taken by the uncertainty"):
        add_uncertainties(taken)
    written = make_config(
        {"systematics": {"x": {"kind": "corrected_weight", "correction": "y", "samples": ["S"]}}}
    )
    with pytest.raises(TaipanError, match="systematics.x.kind: 'corrected_weight' is made of"):
        add_uncertainties(written)


def test_file_counts_from_the_folder_of_the_analysis_and_not_in_the_hash(tmp_path: Path) -> None:
    texts = [
        "{one: {file: c/id.json, correction: id, up: up}, "
        "tag: {kind: btag, file: c/sf.json, correction: sf, tagger: t, working_points: {L: 1}, "
        "efficiencies: {file: c/e.json}}}"
    ]
    hashes = []
    for name in ("a", "b"):
        folder = tmp_path / name / "mine"
        folder.mkdir(parents=True)
        text = (ROOT / "config/analyses/zmumu/analysis.yaml").read_text(encoding="utf-8")
        (folder / "analysis.yaml").write_text(f"{text}\ncorrections: {texts[0]}\n")
        for part in ("selection.py", "simulation.py"):
            (folder / part).write_text((ROOT / f"config/analyses/zmumu/{part}").read_text())
        config = load_config({"analysis": str(folder)}, ROOT)
        assert config.corrections["one"].paths == [str(folder / "c/id.json")]
        assert config.corrections["tag"].paths == [
            str(folder / "c" / n) for n in ("sf.json", "e.json")
        ]
        hashes.append(hash_config(config))
    assert hashes[0] == hashes[1]


def test_default_has_no_corrections() -> None:
    assert read_config([], ROOT).corrections == {}
