"""ROOT histograms, HS3, HistFactory XML and patch sets, in and out."""

from __future__ import annotations

import copy
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyhf
import pytest
import uproot
import yaml
from pyhf import writexml

from taipan.cli.main import main
from taipan.exchange.certificate import compare
from taipan.exchange.compare_yields import compare_yields
from taipan.exchange.density import workspace_density
from taipan.exchange.errors import ExchangeError
from taipan.exchange.histogram_names import HistogramNames, find_histograms, read_names
from taipan.exchange.histogram_workspace import read_histograms
from taipan.exchange.hs3_density import Hs3Density
from taipan.exchange.hs3_workspace import from_hs3
from taipan.exchange.points import draw_anywhere
from taipan.exchange.root_files import LARGEST_OBJECT, RootFiles
from taipan.exchange.write_templates import fitted_templates
from taipan.export.hs3 import to_hs3
from taipan.inference import compile_model, fit
from tests.made_up_cards import HISTOGRAMS, write_histograms
from tests.made_up_models import make_workspace
from tests.public_models import public_models

WORKSPACES = {
    **public_models(),
    "made_up": make_workspace(norms=3, shapes=3, regions=2, bins=6, samples=3),
}
NAMES = {"file": "shapes.root", "signals": ["sig"], "regions": ["SR", "CR"]}


def write_names(folder: Path, **changes: Any) -> Path:
    write_histograms(folder / "shapes.root", HISTOGRAMS)
    path = folder / "names.yaml"
    path.write_text(yaml.safe_dump({**NAMES, **changes}))
    return path


def load(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    return read_histograms(path.parent, read_names(path))


def sample(workspace: dict[str, Any], region: int, name: str) -> dict[str, Any]:
    found = {item["name"]: item for item in workspace["channels"][region]["samples"]}
    return found[name]


def kinds(item: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {(m["type"], m["name"]): m["data"] for m in item["modifiers"]}


def test_histograms_by_pattern_and_by_hand(tmp_path):
    workspace, certificate = load(
        write_names(
            tmp_path,
            norms={"xs": {"samples": ["bkg", "fake"], "up": 1.25}},
            factors={"level": {"samples": ["fake"], "start": 1.1, "range": [0.5, 3]}},
        )
    )
    assert [channel["name"] for channel in workspace["channels"]] == ["CR", "SR"]
    background = kinds(sample(workspace, 1, "bkg"))
    assert background["normsys", "xs"] == {"hi": 1.25, "lo": 0.8}
    assert background["normsys", "jes"]["hi"] == pytest.approx(51.7 / 48.0)
    scale = 48.0 / 51.7
    assert background["histosys", "jes"]["hi_data"] == pytest.approx(
        [33.0 * scale, 15.5 * scale, 3.2 * scale]
    )
    assert background["staterror", "staterror_SR"] == [2.0, 1.5, 1.0]
    assert ("normfactor", "level") in kinds(sample(workspace, 0, "fake"))
    assert workspace["measurements"][0]["config"]["parameters"][1] == {
        "name": "level",
        "inits": [1.1],
        "bounds": [[0.5, 3.0]],
    }
    assert workspace["observations"][1] == {"name": "SR", "data": [34.0, 21.0, 9.0]}
    assert certificate["agreement"]["points"] == 5  # nominal, and two systematics both ways
    assert certificate["agreement"]["largest_relative_difference"] < 1e-14


def test_other_patterns_and_the_longest_sample(tmp_path):
    """A systematic may have the name of a sample in it: the longest name of a sample counts."""
    names = HistogramNames(
        file="x",
        signals=("s",),
        nominal="h_{sample}_{region}",
        varied="h_{sample}_{region}__{systematic}_{side}",
        data="h_data_{region}",
        up="1up",
        down="1down",
    )
    keys = [
        "h_data_A", "h_s_A", "h_s_b_A", "h_s_A__x_1up", "h_s_A__x_1down", "h_s_b_A__x_y_1up",
        "h_s_b_A__x_y_1down", "other",
    ]  # fmt: skip
    found = find_histograms(Path("x"), names, keys)
    assert found.nominal == {("A", "s"): "h_s_A", ("A", "s_b"): "h_s_b_A"}
    assert found.varied == {
        ("A", "s", "x"): ("h_s_A__x_1up", "h_s_A__x_1down"),
        ("A", "s_b", "x_y"): ("h_s_b_A__x_y_1up", "h_s_b_A__x_y_1down"),
    }


def test_one_side_is_reflected_only_if_told_so(tmp_path):
    path = write_names(tmp_path)
    one = {name: value for name, value in HISTOGRAMS.items() if name != "SR/sig_jesDown"}
    write_histograms(tmp_path / "shapes.root", one)
    with pytest.raises(ExchangeError, match=r"'SR/sig_jesUp' has no other side \(mirror: true"):
        load(path)
    path.write_text(yaml.safe_dump({**NAMES, "mirror": True}))
    workspace, _ = load(path)
    signal = kinds(sample(workspace, 1, "sig"))
    assert signal["normsys", "jes"]["lo"] == pytest.approx((2 * 12.0 - 12.5) / 12.0)
    other = {name: value for name, value in HISTOGRAMS.items() if name != "SR/sig_jesUp"}
    write_histograms(tmp_path / "shapes.root", other)
    workspace, _ = load(path)
    signal = kinds(sample(workspace, 1, "sig"))
    assert signal["normsys", "jes"]["hi"] == pytest.approx((2 * 12.0 - 11.6) / 12.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signls": ["sig"]}, "signls: not a key; did you mean 'signals'? (file, "),
        ({"signals": ["sgi"]}, "sample 'sgi' is in no region; did you mean 'sig'? (bkg, "),
        ({"signals": []}, "signals: list is not allowed"),
        ({"regions": ["XR"]}, "region 'XR' has no 'XR/data_obs'"),
        ({"nominal": "{region}"}, "nominal: '{region}' must have each of {region}, {sample} once"),
        ({"up": 3}, "up: 3 is not allowed"),
        ({"norms": {"x": {"samples": ["bkg"], "up": -1}}}, "norms.x.up: -1 is not allowed"),
        ({"norms": {"x": {"sample": ["bkg"]}}}, "norms.x.samples: is missing"),
        ({"file": "none.root"}, "none.root: no such file"),
        ({"data": "{region}/nothing", "regions": []}, "no histogram is called '{region}/nothing'"),
        ({"factors": {"jes": {"samples": ["bkg"]}}}, "'jes' is also in norms or factors"),
    ],
)
def test_bad_names_are_named(changes, message, tmp_path, capsys):
    path = write_names(tmp_path, **changes)
    out = tmp_path / "out" / "w.json"
    assert main(["import", str(path), "--out", str(out)]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert not out.parent.exists()


def test_other_bins_are_refused(tmp_path):
    path = write_names(tmp_path)
    wrong = {**HISTOGRAMS, "SR/bkg_tiltUp": ([1.0, 2.0], [0.1, 0.1])}
    write_histograms(tmp_path / "shapes.root", wrong)
    with pytest.raises(ExchangeError, match="SR/bkg_tiltUp has 2 bins, SR/bkg has 3"):
        load(path)


@pytest.mark.parametrize("name", WORKSPACES)
def test_templates_out_and_in(name, tmp_path, capsys):
    content = WORKSPACES[name]
    source = tmp_path / "w.json"
    source.write_text(json.dumps(content))
    out = tmp_path / "root"
    assert main(["export", str(source), "--to", "root", "--out", str(out)]) == 0
    again = tmp_path / "again.json"
    assert main(["import", str(out / "histograms.yaml"), "--out", str(again)]) == 0
    back = json.loads(again.read_text())
    largest, points = compare_yields(content, back, str)
    assert largest < 1e-12
    systematics = {
        m["name"]
        for c in content["channels"]
        for s in c["samples"]
        for m in s["modifiers"]
        if m["type"] in ("normsys", "histosys")
    }
    assert points == 1 + 2 * len(systematics)
    observed = {item["name"]: item["data"] for item in back["observations"]}
    assert observed == {item["name"]: item["data"] for item in content["observations"]}


def test_templates_of_a_fit(tmp_path):
    content = WORKSPACES["made_up"]
    source = tmp_path / "w.json"
    source.write_text(json.dumps(content))
    arguments = ["export", str(source), "--to", "root", "--out", str(tmp_path), "--fitted"]
    assert main(arguments) == 0
    model = compile_model(content)
    best = fit(model, model.observed)
    expected = model.expected(best.values)
    with uproot.open(tmp_path / "histograms.root") as file:
        for region, place in model.regions.items():
            total = file[f"fitted/{region}/total"]
            assert total.values() == pytest.approx(expected[place])
            samples = [
                file[key].values()
                for key in file.keys(cycle=False, recursive=True)
                if key.startswith(f"fitted/{region}/") and not key.endswith("/total")
            ]
            assert np.sum(samples, axis=0) == pytest.approx(expected[place])
    assert set(fitted_templates(content)) >= {f"fitted/{region}/total" for region in model.regions}


def test_yields_that_differ_are_found():
    one = WORKSPACES["coupled_normsys"]
    two = copy.deepcopy(one)
    two["channels"][0]["samples"][1]["modifiers"][0]["data"]["hi"] = 1.11
    largest, _ = compare_yields(one, two, str)
    changed = one["channels"][0]["samples"][1]["data"]
    assert changed[0] * 0.001 < largest * 1000.0
    assert largest > 1e-3


@pytest.mark.parametrize("name", WORKSPACES)
def test_hs3_in_is_the_model_that_went_out(name, tmp_path):
    content = WORKSPACES[name]
    document = json.loads(json.dumps(to_hs3(content)))
    back, names = from_hs3(Path("d.json"), document)
    density = workspace_density(back, names)
    points = draw_anywhere(density, np.random.default_rng(5), 50)
    relative, _ = compare(Hs3Density(document), density, points, density.start)
    assert relative < 1e-11
    again = to_hs3(back)
    for key in ("distributions", "data", "domains", "parameter_points"):
        wanted, found = json.loads(json.dumps(again[key])), document[key]
        assert len(wanted) == len(found), key
    assert again["data"] == document["data"]
    assert again["domains"] == document["domains"]


def test_hs3_by_command(tmp_path, capsys):
    source = tmp_path / "w.json"
    source.write_text(json.dumps(WORKSPACES["histfactory_example"]))
    assert main(["export", str(source), "--to", "hs3", "--out", str(tmp_path / "h")]) == 0
    out = tmp_path / "back" / "w.json"
    assert main(["import", str(tmp_path / "h" / "hs3.json"), "--out", str(out)]) == 0
    assert "−ln L of both agree at 50 points" in capsys.readouterr().out
    certificate = json.loads((out.parent / "certificate.json").read_text())
    estimates = [item["mu_hat"] for item in certificate["fits"]]
    assert len(estimates) == 3
    assert estimates == pytest.approx([estimates[0]] * 3, abs=5e-3)


def edit(document: dict[str, Any], change: str) -> dict[str, Any]:
    document = copy.deepcopy(document)
    channel = document["distributions"][0]
    match change:
        case "kind":
            channel["samples"][0]["modifiers"][0]["type"] = "normfaktor"
        case "distribution":
            channel["type"] = "product_dist"
        case "bins":
            document["data"][0]["contents"].append(1.0)
        case "name":
            document["likelihoods"][0]["data"][0] = "nothing"
        case "missing":
            del document["likelihoods"]
        case "poi":
            document["analyses"][0]["parameters_of_interest"] = ["nu"]
        case "number":
            document["data"][0]["contents"][0] = "many"
        case "list":
            document["distributions"] = [3]
        case "nan":
            channel["samples"][0]["data"]["contents"][0] = float("nan")
    return document


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("kind", "modifier 'normfaktor'; did you mean 'normfactor'? (normfactor, "),
        ("distribution", "'product_dist' is not read (histfactory_dist)"),
        ("bins", "bins, model_"),
        ("name", "likelihoods: data 'nothing'"),
        ("missing", "no key 'likelihoods'"),
        ("poi", "parameter of interest 'nu' scales nothing"),
        ("number", "not of the form of HS3"),
        ("list", "not of the form of HS3"),
        ("nan", "not of the form of HS3"),
    ],
)
def test_bad_hs3_is_named(change, message):
    document = edit(to_hs3(WORKSPACES["coupled_normsys"]), change)
    with pytest.raises(ExchangeError) as caught:
        from_hs3(Path("d.json"), document)
    assert str(caught.value).startswith("d.json: ")
    assert message in str(caught.value)


def test_hs3_that_means_something_else_is_refused():
    document = to_hs3(WORKSPACES["coupled_normsys"])
    content, names = from_hs3(Path("d.json"), document)
    document["distributions"][0]["samples"][1]["data"]["contents"][0] *= 1.0001
    density = workspace_density(content, names)
    points = draw_anywhere(density, np.random.default_rng(5), 50)
    assert compare(Hs3Density(document), density, points, density.start)[0] > 1e-8


@pytest.mark.parametrize("name", ["histosys", "coupled_normsys", "two_channels_shapesys"])
def test_xml_of_histfactory(name, tmp_path):
    content = WORKSPACES[name]
    config, data = tmp_path / "config", tmp_path / "data"
    config.mkdir()
    data.mkdir()
    text = writexml.writexml(content, str(config), str(data), "model")
    (tmp_path / "config" / "model.xml").write_bytes(text)
    out = tmp_path / "out" / "w.json"
    assert main(["import", str(config / "model.xml"), "--out", str(out), "--no-refit"]) == 0
    back = json.loads(out.read_text())
    one, two = workspace_density(content), workspace_density(back)
    assert set(one.start) == set(two.start)
    points = draw_anywhere(one, np.random.default_rng(2), 50)
    assert compare(one, two, points, one.start)[0] < 1e-7  # the writer has relative errors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<Combination", "model.xml: "),
        ("<Combination><Input>none.xml</Input></Combination>", "none.xml is missing"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><Combination/>', "declares entities"),
    ],
)
def test_bad_xml_is_named(text, message, tmp_path, capsys):
    path = tmp_path / "model.xml"
    path.write_text(text)
    assert main(["import", str(path), "--out", str(tmp_path / "w.json")]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "w.json").exists()


def patch_set(workspace: dict[str, Any]) -> dict[str, Any]:
    path = "/channels/0/samples/0/data"
    return {
        "metadata": {
            "references": {"hepdata": "ins1234567"},
            "description": "signals",
            "digests": {"sha256": pyhf.utils.digest(workspace)},
            "labels": ["mass"],
        },
        "version": "1.0.0",
        "patches": [
            {
                "metadata": {"name": f"m{mass}", "values": [mass]},
                "patch": [{"op": "replace", "path": path, "value": [mass / 100.0] * 2}],
            }
            for mass in (100, 200)
        ],
    }


def test_patch_of_a_patch_set(tmp_path, capsys):
    content = WORKSPACES["coupled_normsys"]
    source, patches = tmp_path / "w.json", tmp_path / "set.json"
    source.write_text(json.dumps(content))
    patches.write_text(json.dumps(patch_set(content)))
    out = tmp_path / "out" / "w.json"
    arguments = ["import", str(source), "--out", str(out)]
    assert main([*arguments, "--patch", f"{patches}:m200"]) == 0
    assert json.loads(out.read_text())["channels"][0]["samples"][0]["data"] == [2.0, 2.0]
    capsys.readouterr()
    for patch, message in (
        (f"{patches}:m300", "patch 'm300' is not there; did you mean 'm200'? (m100, m200)"),
        ("m300", "--patch: 'm300' is not FILE:NAME"),
        (f"{source}:m200", "not a patch set"),
    ):
        assert main([*arguments, "--patch", patch]) == 1
        assert message in capsys.readouterr().err
    other = copy.deepcopy(content)
    other["channels"][0]["samples"][1]["data"][0] += 1.0
    source.write_text(json.dumps(other))
    assert main([*arguments, "--patch", f"{patches}:m200"]) == 1
    assert "the patches are of another workspace" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("deep.json", "[" * 100_000, "nested too deeply"),
        ("list.json", "[1]", "neither HS3 nor a pyhf workspace"),
        ("other.json", "{}", "neither HS3 nor a pyhf workspace"),
        ("w.json", json.dumps(public_models()["histosys"]), "is a pyhf workspace already"),
        ("deep.yaml", "[" * 100_000, "is not valid YAML"),
        ("list.yaml", "- 1", "not a list of keys"),
        ("bomb.yaml", "a: &a [x]\n" + "\n".join(
            f"b{i}: &b{i} [*{'a' if i == 0 else f'b{i - 1}'}, *{'a' if i == 0 else f'b{i - 1}'}]"
            for i in range(60)
        ) + "\nsignals: *b59\nfile: x", "is not allowed"),
        ("binary.txt", "\x00\xff", "card.txt"),
    ],
)  # fmt: skip
def test_hostile_text_ends_in_one_line(name, text, message, tmp_path, capsys):
    path = tmp_path / name
    path.write_text(text, encoding="latin-1")
    out = tmp_path / "out.json"
    assert main(["import", str(path), "--out", str(out)]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert (message if name != "binary.txt" else name) in printed
    assert not out.exists()


def test_size_that_a_file_states_is_looked_at_first(tmp_path):
    """The length of a histogram after decompression is a number in the file."""
    path = tmp_path / "shapes.root"
    write_histograms(path, {"SR": ([1.0, 2.0], [0.1, 0.1])})
    with uproot.open(path) as file:
        key = file.key("SR")
        place, stated = key.fSeekKey, key.data_uncompressed_bytes
    raw = bytearray(path.read_bytes())
    # each key states the length after the length of its record and its version (TKey in ROOT's
    # format); the list of the folder has a copy
    wanted, found = struct.pack(">i", stated), struct.pack(">i", LARGEST_OBJECT * 8)
    changed = 0
    start = 0
    while (start := raw.find(wanted, start)) >= 0:
        if raw[start - 2 : start] in (b"\x00\x04", b"\x03\xec"):
            raw[start : start + 4] = found
            changed += 1
        start += 4
    assert changed >= 1
    assert place > 0
    path.write_bytes(raw)
    with RootFiles() as files, pytest.raises(ExchangeError, match="512 MiB unpacked, at most 64"):
        files.read(path, "SR")
