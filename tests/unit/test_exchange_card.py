"""Datacards of CMS Combine: what is read, what is refused, and that the model stays the same."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from taipan.cli.main import main
from taipan.errors import TaipanError
from taipan.exchange import certificate as certificates
from taipan.exchange.card_density import card_density
from taipan.exchange.card_model import CardModel, asymmetric_log, smooth_step
from taipan.exchange.card_workspace import build_workspace
from taipan.exchange.certificate import certify_card, compare
from taipan.exchange.density import workspace_density
from taipan.exchange.errors import ExchangeError
from taipan.exchange.fill_card import fill_card
from taipan.exchange.points import draw_anywhere
from taipan.exchange.read_card import parse_card, read_card
from taipan.exchange.translate_workspace import translate_workspace
from taipan.exchange.write_card import write_card as write_translation
from taipan.inference import compile_model, fit
from tests.made_up_cards import CARDS, HISTOGRAMS, SHAPES, one_channel, write_card, write_histograms
from tests.public_models import public_models
from tests.real_data import real_data

TWINS, needs_twins = real_data("likelihoods/combine-cards")


def load(folder: Path, text: str) -> CardModel:
    return fill_card(read_card(write_card(folder, text)), "125")


def counting(lines: str, **changes: str) -> str:
    return one_channel(lines, **{"shapes": "", "observed": "18", "rates": "5 12.5", **changes})


def workspace(folder: Path, text: str) -> dict:
    return build_workspace(load(folder, text))


def modifiers(content: dict, sample: int = 0, channel: int = 0) -> dict:
    found = content["channels"][channel]["samples"][sample]["modifiers"]
    return {(item["type"], item["name"]): item["data"] for item in found}


def test_counting_card_by_hand(tmp_path):
    content = workspace(tmp_path, counting("lumi lnN 1.05 0.9/1.2\neff lnN - 1"))
    assert modifiers(content) == {
        ("normfactor", "r"): None,
        ("normsys", "lumi"): {"hi": pytest.approx(1.05), "lo": pytest.approx(1 / 1.05)},
    }
    assert modifiers(content, 1)["normsys", "lumi"] == {
        "hi": pytest.approx(1.2),
        "lo": pytest.approx(0.9),
    }
    assert content["observations"] == [{"name": "SR", "data": [18.0]}]
    model = compile_model(content)
    best = fit(model, model.observed)
    assert best.values[model.poi] == pytest.approx((18.0 - 12.5) / 5.0, abs=1e-6)


def test_shape_becomes_a_factor_and_a_shape_of_the_same_integral(tmp_path):
    content = workspace(tmp_path, one_channel("jes shape 1.0 1.0\ntilt shape - 1.0"))
    signal, background = modifiers(content), modifiers(content, 1)
    assert signal["normsys", "jes"]["hi"] == pytest.approx(12.5 / 12.0)
    assert signal["normsys", "jes"]["lo"] == pytest.approx(11.6 / 12.0)
    assert signal["histosys", "jes"]["hi_data"] == pytest.approx(
        [2.2 * 0.96, 4.4 * 0.96, 5.9 * 0.96]
    )
    # the tilt keeps the integral of 48, which Combine does not call a change of the yield
    assert ("normsys", "tilt") not in background
    assert background["histosys", "tilt"]["lo_data"] == pytest.approx([33.0, 14.0, 1.0])


def test_changes_of_the_yield_below_a_permille_are_none(tmp_path):
    small = {
        **HISTOGRAMS,
        "SR/bkg_jesUp": ([30.02, 15.0, 3.0], [1.0] * 3),
        "SR/bkg_jesDown": ([29.98, 15.0, 3.0], [1.0] * 3),
    }
    path = write_card(tmp_path, one_channel("jes shape - 1"))
    write_histograms(tmp_path / "shapes.root", small)
    found = modifiers(build_workspace(fill_card(read_card(path))), 1)
    assert list(found) == [("histosys", "jes")]  # κ - 1 = 0.0004
    assert sum(found["histosys", "jes"]["hi_data"]) == pytest.approx(48.0)


def test_scale_of_a_shape_stretches_both_parts(tmp_path):
    content = workspace(tmp_path, one_channel("jes shape 2 -"))
    found = modifiers(content)
    assert found["normsys", "jes"]["hi"] == pytest.approx((12.5 / 12.0) ** 2)
    up = np.array([2.2, 4.4, 5.9]) * 12.0 / 12.5
    nominal = np.array([2.0, 4.0, 6.0])
    assert found["histosys", "jes"]["hi_data"] == pytest.approx(nominal + 2.0 * (up - nominal))


def test_control_sample_of_gmn_is_a_channel(tmp_path):
    content = workspace(tmp_path, CARDS["gamma"])
    assert content["channels"][1]["name"] == "gmN_control"
    assert content["channels"][1]["samples"][0]["data"] == [25.0]
    assert content["observations"][1] == {"name": "gmN_control", "data": [25.0]}
    assert modifiers(content, 1)["normfactor", "control"] is None
    model = compile_model(content)
    best = fit(model, model.observed)
    index = model.parameters.names.index("control")
    assert best.values[index] == pytest.approx(1.0, abs=1e-4)
    assert best.sigma[index] == pytest.approx(0.2, rel=1e-3)  # 1/√25


def test_rate_of_gmn_is_that_of_the_control_sample(tmp_path):
    """Combine takes 25 × 0.5 events, and compares the rate with it to 2 %."""
    content = workspace(tmp_path, CARDS["gamma"].replace("12.5", "12.6"))
    assert content["channels"][0]["samples"][1]["data"] == pytest.approx([12.5])
    with pytest.raises(ExchangeError, match=r"25 × 0\.5 is not the rate 13 of bkg"):
        load(tmp_path, CARDS["gamma"].replace("12.5", "13"))


def test_bin_statistics_choose_one_or_many_parameters(tmp_path):
    content = workspace(tmp_path, CARDS["per_process"])
    names = [set(modifiers(content, i)) for i in range(3)]
    # effective events with signal: 36²/8.04 = 161, 21²/6.34 = 69, 10²/2.16 = 46; at most 60
    assert modifiers(content, 1)["staterror", "prop_binSR"] == [2.0, 1.5, 0.0]
    # background: 3²/1² = 9 events; signal: 6²/0.4² = 225, more than 60; other: all of the yield
    counts = modifiers(content, 1)["shapesys", "prop_binSR_bkg"]
    assert counts == pytest.approx([0.0, 0.0, 1.0])
    assert modifiers(content, 0)["staterror", "prop_binSR_sig_gauss"] == [0.0, 0.0, 0.4]
    assert modifiers(content, 2)["shapesys", "prop_binSR_fake"] == pytest.approx([0.0, 0.0, 1.0])
    assert ("shapesys", "prop_binSR_sig") not in names[0]


def test_edits_change_what_stands_above(tmp_path):
    content = workspace(tmp_path, CARDS["edits"])
    signal, background = modifiers(content), modifiers(content, 1)
    assert set(signal) == {
        ("normfactor", "r"),
        ("normsys", "b"),
        ("normsys", "energy"),
        ("normsys", "new"),
        ("histosys", "energy"),
    }
    both = math.exp(math.hypot(math.log(1.05), math.log(1.04)))
    assert signal["normsys", "b"]["hi"] == pytest.approx(both)
    assert background["normsys", "b"]["hi"] == pytest.approx(1.06)
    assert background["normsys", "fresh"]["lo"] == pytest.approx(1.07)  # flipped
    merged = math.exp(math.hypot(math.log(1.02), math.log(1.2)))
    assert background["normsys", "a"]["hi"] == pytest.approx(merged)
    assert ("normsys", "new") not in background
    assert background["normsys", "c1"]["hi"] == pytest.approx(1.2)
    held = [p["name"] for p in content["measurements"][0]["config"]["parameters"] if "fixed" in p]
    assert held == ["c2"]


def test_products_of_factors_and_ranges(tmp_path):
    model = load(tmp_path, CARDS["two_channels"])
    content = build_workspace(model)
    fake = content["channels"][1]["samples"][2]
    # 1.5 of the formula and 1.25 of the constant multiply the template
    assert fake["data"] == pytest.approx([2.0 * 1.875, 1.0 * 1.875])
    names = [name for kind, name in modifiers(content, 2, 1) if kind == "normfactor"]
    assert names == ["extra", "scale"]
    settings_of = {p["name"]: p for p in content["measurements"][0]["config"]["parameters"]}
    assert settings_of["norm"] == {"name": "norm", "inits": [1.1], "bounds": [[0.2, 4.0]]}
    assert settings_of["scale"]["bounds"] == [[0.1, 2.0]]
    assert model.groups == {"theory": ("xs",), "exp": ("lumi", "jes", "tilt")}


def test_factors_without_a_range_end_at_ten_times_their_start(tmp_path):
    content = workspace(tmp_path, one_channel("a rateParam SR bkg 2\nb rateParam SR bkg -0.5"))
    found = {p["name"]: p["bounds"] for p in content["measurements"][0]["config"]["parameters"]}
    assert found == {"r": [[-20.0, 20.0]], "a": [[0.0, 20.0]], "b": [[-10.0, 10.0]]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kmax 3", "line 3: kmax: 3, but there are 1 lines of uncertainties"),
        ("kmax x", "line 3: kmax: 'x' is not a number, nor '*'"),
        ("kmax *", ""),
    ],
)
def test_stated_number_of_uncertainties(text, message, tmp_path):
    card = one_channel("lumi lnN 1.1 -").replace("kmax *", text)
    if not message:
        assert load(tmp_path, card).channels
        return
    with pytest.raises(ExchangeError, match=re.escape(message)):
        load(tmp_path, card)


def test_factor_with_a_constraint_is_the_luminosity_of_pyhf(tmp_path):
    content = workspace(tmp_path, CARDS["mass_and_param"])
    assert modifiers(content, 1)["lumi", "lumi"] is None
    entry = content["measurements"][0]["config"]["parameters"][1]
    assert (entry["auxdata"], entry["sigmas"]) == ([1.0], [0.1])


def test_interpolation_of_combine_by_hand():
    assert smooth_step(np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])) == pytest.approx(
        [-1.0, -1.0, 0.0, 0.125 * 0.5 * (0.25 * (0.75 - 10.0) + 15.0), 1.0, 1.0]
    )
    down, up = math.log(0.8), math.log(1.3)
    assert asymmetric_log(0.5, down, up) == pytest.approx(0.5 * up)
    assert asymmetric_log(-2.0, down, up) == pytest.approx(2.0 * down)
    middle = 0.25 * (0.5 * (up - down) + 0.5 * (up + down) * float(smooth_step(0.5)))
    assert asymmetric_log(0.25, down, up) == pytest.approx(middle)


def test_density_of_combine_by_hand(tmp_path):
    """One bin: the uncertainty of Combine follows the scaled processes, that of pyhf does not."""
    text = one_channel("lumi lnN 1.02 1.02\nSR autoMCStats 0 1")
    model = load(tmp_path, text)
    density = card_density(model)
    start = {"r": 1.0, "lumi": 0.0, **{f"prop_binSR[{i}]": 1.0 for i in range(3)}}
    moved = {**start, "r": 2.0, "lumi": 1.0, "prop_binSR[0]": 1.1}
    # in Combine's units: (γ - 1) · Σn / √Σe², with n = 32 and e² = 4.04
    pull = 0.1 * 32.0 / math.sqrt(4.04)
    width = 1.02 * math.sqrt(2.0**2 + (2.0 * 0.2) ** 2)
    expected = [1.02 * (4.0 + 30.0) + pull * width, 1.02 * (8.0 + 15.0), 1.02 * (12.0 + 3.0)]
    first = [32.0, 19.0, 9.0]
    observed = [34.0, 21.0, 9.0]
    change = sum(
        new - old - n * math.log(new / old)
        for new, old, n in zip(expected, first, observed, strict=True)
    )
    assert density(moved) - density(start) == pytest.approx(change + 0.5 + 0.5 * pull**2)


@pytest.mark.parametrize("name", CARDS)
def test_certificate_of_every_card(name, tmp_path):
    model = load(tmp_path, CARDS[name])
    found = certify_card(model, build_workspace(model), refitted=False)
    assert found["agreement"]["points"] == 50
    assert found["agreement"]["largest_relative_difference"] < 1e-12


@pytest.mark.parametrize("name", CARDS)
def test_round_trip_of_every_card(name, tmp_path):
    first = build_workspace(load(tmp_path, CARDS[name]))
    translation = translate_workspace(first)
    card, _ = write_translation(translation, tmp_path / "again", {})
    second = build_workspace(fill_card(read_card(card)))
    one, two = workspace_density(first, translation.names), workspace_density(second)
    assert set(one.start) == set(two.start)
    points = draw_anywhere(one, np.random.default_rng(7), 50)
    relative, _ = compare(one, two, points, one.start)
    assert relative < 1e-12
    assert one.fixed == two.fixed


def test_every_directive_is_in_a_card_of_the_round_trip():
    text = "\n".join(CARDS.values())
    for word in (
        "lnN", "shape ", "shape?", "gmN", "rateParam", "param", "extArg", "autoMCStats", "group",
        "FAKE", "$MASS", "[nofloat]", *(f"nuisance edit {edit}" for edit in (
            "add", "drop", "rename", "changepdf", "freeze", "split", "merge", "flip")),
    ):  # fmt: skip
        assert word in text, word


@needs_twins
@pytest.mark.parametrize(
    "path", sorted(TWINS.glob("*.json")) or [Path("not-set")], ids=lambda path: path.stem
)
def test_cards_equal_their_twins(path):
    """Public cards with the same model as a pyhf workspace, made by others (combine2pyhf)."""
    ours = build_workspace(fill_card(read_card(path.with_suffix(".txt"))))
    twin = json.loads(path.read_text().replace("r_sig", "r").replace("_mergedns", ""))
    one, two = workspace_density(ours), workspace_density(twin)
    assert set(one.start) == set(two.start)
    points = draw_anywhere(one, np.random.default_rng(3), 50)
    assert max(abs(one(point) - two(point)) / abs(two(point)) for point in points) < 1e-12


@needs_twins
def test_real_card_is_certified_and_fitted():
    """ttγ of CMS with one lepton: three channels, 87 uncertainties."""
    model = fill_card(read_card(TWINS / "cms-ttg-1l.txt"))
    content = build_workspace(model)
    found = certify_card(model, content)
    assert found["agreement"]["largest_relative_difference"] < 1e-10
    compiled = compile_model(content)
    best = fit(compiled, compiled.observed)
    assert len(compiled.parameters.names) == 92
    assert best.values[compiled.poi] == pytest.approx(1.0540, abs=2e-4)
    assert best.sigma[compiled.poi] == pytest.approx(0.1035, abs=2e-4)


def test_fits_of_the_certificate_agree(tmp_path):
    model = load(tmp_path, CARDS["counting"])
    found = certify_card(model, build_workspace(model), refitted=True)
    assert [item["tool"] for item in found["fits"]] == ["Taipan", "pyhf with MINUIT", "MINUIT"]
    for item in found["fits"]:
        assert item["mu_hat"] == pytest.approx(1.1, abs=2e-3)
        assert item["significance"] == pytest.approx(1.4343, abs=1e-3)
    assert found["fits"][1]["cls_at_taipans_limit"] == pytest.approx(0.05, abs=1e-4)
    assert found["largest_difference_in_sigma"] < 2e-3


def test_models_that_differ_have_no_certificate(tmp_path):
    model = load(tmp_path, CARDS["counting"])
    other = build_workspace(model)
    other["channels"][0]["samples"][1]["data"] = [12.6]
    with pytest.raises(ExchangeError, match="differs by .* the two models are not the same"):
        certify_card(model, other, refitted=False)


def test_import_and_export_by_command(tmp_path, capsys):
    path = write_card(tmp_path, CARDS["two_channels"])
    out = tmp_path / "model" / "workspace.json"
    assert main(["import", str(path), "--out", str(out), "--no-refit"]) == 0
    printed = capsys.readouterr().out
    assert "−ln L of both agree at 50 points" in printed
    certificate = json.loads((out.parent / "certificate.json").read_text())
    assert certificate["from"]["format"] == "combine"
    assert certificate["agreement"]["tolerance"] == 1e-8
    groups = json.loads((out.parent / "workspace.groups.json").read_text())
    assert groups == {"xs": "theory", "lumi": "exp", "jes": "exp", "tilt": "exp"}
    back = tmp_path / "back"
    arguments = ["export", str(out), "--to", "combine", "--out", str(back), "--no-refit"]
    assert main([*arguments, "--groups", str(out.parent / "workspace.groups.json")]) == 0
    again = read_card(back / "datacard.txt")
    assert again.groups == {"theory": ("xs",), "exp": ("lumi", "jes", "tilt")}
    assert sorted(item.name for item in back.iterdir()) == [
        "certificate.json",
        "datacard.txt",
        "shapes.root",
    ]


@pytest.mark.parametrize("name", sorted(public_models()))
def test_public_workspaces_become_cards(name, tmp_path):
    _, found = export(public_models()[name], tmp_path)
    assert found["agreement"]["largest_relative_difference"] < 1e-12


def export(content: dict, folder: Path) -> tuple[str, dict]:
    """The text of a card, and its certificate."""
    translation = translate_workspace(content)
    card, _ = write_translation(translation, folder, {})
    found = certify_card(
        fill_card(read_card(card)),
        content,
        names=translation.names,
        units=translation.units,
        lonely=translation.lonely,
        refitted=False,
    )
    return card.read_text(), found


def one_region(samples: dict[str, tuple[list[float], list[tuple[str, str, object]]]]) -> dict:
    """A workspace of the region SR."""
    return {
        "channels": [
            {
                "name": "SR",
                "samples": [
                    {
                        "name": name,
                        "data": data,
                        "modifiers": [
                            {"type": kind, "name": label, "data": value}
                            for kind, label, value in found
                        ],
                    }
                    for name, (data, found) in samples.items()
                ],
            }
        ],
        "observations": [{"name": "SR", "data": [40.0, 22.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def test_statistics_of_signals_alone_become_shapes_of_one_bin(tmp_path):
    """Taipan's own workspaces have one staterror for backgrounds and one for signals."""
    content = one_region(
        {
            "sig": (
                [4.0, 6.0],
                [("normfactor", "mu", None), ("staterror", "stat_signals", [0.4, 0.3])],
            ),
            "bkg": ([30.0, 15.0], [("staterror", "stat", [2.0, 1.0])]),
            "top": ([3.0, 2.0], [("staterror", "stat", [0.5, 0.5])]),
        }
    )
    text, found = export(content, tmp_path)
    assert found["agreement"]["points"] == 54  # two more for each bin of the signal
    assert "SR autoMCStats 0 1 1" in text
    shapes = [line.split()[:3] for line in text.splitlines() if line.startswith("stat_")]
    assert shapes == [["stat_signals_bin0", "shape", "1"], ["stat_signals_bin1", "shape", "1"]]
    translation = translate_workspace(content)
    assert translation.units == pytest.approx({"stat_signals[0]": 0.1, "stat_signals[1]": 0.05})
    part = translation.parts[0]
    assert part.shapes["stat_signals_bin0"][0] == pytest.approx([4.4, 6.0])


def test_counted_and_free_bins_become_processes_of_one_bin(tmp_path):
    content = one_region(
        {
            "sig": ([4.0, 6.0], [("normfactor", "mu", None)]),
            "bkg": ([30.0, 15.0], [("shapesys", "count", [4.0, 0.0])]),
            "free": ([3.0, 2.0], [("shapefactor", "level", None)]),
        }
    )
    text, found = export(content, tmp_path)
    assert found["elsewhere"]["largest_difference"] < 1e-9  # the same everywhere
    lines = [line.split() for line in text.splitlines()]
    processes = next(line for line in lines if line[0] == "process")[1:]
    assert processes == ["sig", "bkg", "bkg_bin0", "free_bin0", "free_bin1", "control"]
    observed = next(line for line in lines if line[0] == "observation")
    assert float(observed[2]) == pytest.approx((30.0 / 4.0) ** 2)
    assert ["count_bin0", "rateParam", "count_bin0", "control", "1.0", "[1e-10,10.0]"] in lines


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (
            {"sig": ([4.0, 6.0], [("normfactor", "mu", None)]), "bkg": ([5.0, -7.0], [])},
            "region SR, sample bkg: expects -2 events",
        ),
        (
            {
                "sig": ([4.0, 6.0], [("normfactor", "mu", None)]),
                "bkg": ([5.0, 5.0], [("staterror", "a", [1.0, 1.0])]),
                "top": ([5.0, 5.0], [("staterror", "a", [1.0, 1.0])]),
                "low": ([1.0, 5.0], [("staterror", "b", [2.0, 1.0])]),
            },
            "region SR, bin 0: staterror 'b' is 2 of 1 events; a shape cannot go below zero",
        ),
    ],
)
def test_workspaces_that_no_card_can_hold(samples, message):
    with pytest.raises(ExchangeError, match=re.escape(message)):
        translate_workspace(one_region(samples))


def test_nothing_is_written_without_agreement(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(certificates, "TOLERANCE", -1.0)
    path = write_card(tmp_path, CARDS["counting"])
    out = tmp_path / "new" / "workspace.json"
    assert main(["import", str(path), "--out", str(out), "--no-refit"]) == 1
    assert "nothing is written" in capsys.readouterr().err
    assert not out.parent.exists()


BAD = {
    "lnU": ("x lnU 1.5 -", "line 12: 'lnU' (a flat prior within a factor) cannot be translated"),
    "unknown": ("x lnX 1.5 -", "line 12: 'lnX' cannot be translated"),
    "columns": ("x lnN 1.5", "line 12: lnN x has 1 columns, there are 2 processes"),
    "negative": ("x lnN -1.5 -", "line 12: lnN x: factor -1.5 (positive, or '-')"),
    "word": ("x lnN 1.5 much", "line 12: lnN x: 'much' is not a number"),
    "not finite": ("x lnN inf -", "line 12: lnN x: 'inf' is not finite"),
    "no histogram": ("x shape 1 -", "line 12: {folder}/shapes.root has no 'SR/sig_xUp'"),
    "formula": (
        "x rateParam SR bkg (@0+@1) a,b",
        "line 12: formula '(@0+@1)' is not a product of different arguments, as (@0*@1)",
    ),
    "argument": (
        "y rateParam SR bkg 1\nx rateParam SR bkg (@0*2) z",
        "line 13: formula of x: 'z' is neither rateParam nor extArg",
    ),
    "range": ("x rateParam SR bkg 1 [2,3]", "line 12: rateParam x: 1 is not in [2,3]"),
    "place": ("x rateParam SR nothing 1", "line 12: no process 'nothing' in channel 'SR'"),
    "channel": ("SX autoMCStats 0", "line 12: autoMCStats: 'SX' is not a channel"),
    "edit": ("nuisance edit explode x", "line 12: nuisance edit 'explode' cannot be translated"),
    "edit of nothing": (
        "x lnN 1.1 -\nnuisance edit drop * * y",
        "line 13: nuisance edit: 'y' is not a parameter",
    ),
    "twice": ("x lnN 1.1 -\nx rateParam SR bkg 1", "line 12: 'x' is also another kind"),
    "group": ("x lnN 1.1 -\ng group = x y", "line 13: group g: 'y' is not a parameter"),
    "param": ("x param 1 0.1", "line 12: param 'x' is not a rateParam of this card"),
    "gamma": ("x gmN 3 - 2", "line 12: gmN x: 3 × 2 is not the rate 48 of bkg"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_lines_are_named(name, tmp_path, capsys):
    lines, message = BAD[name]
    text = one_channel(lines)
    path = write_card(tmp_path, text)
    out = tmp_path / "out" / "workspace.json"
    assert main(["import", str(path), "--out", str(out)]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert f"{path}: " in printed
    assert message.format(folder=tmp_path) in printed
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("observed", "65"), "line 4: observation of SR: 65, but its histogram has 64"),
        (("rates", "-1 60"), "rate of bkg in SR: 60, but its histogram has 48"),
        (("rates", "-1 -1 -1"), "line 10: 3 columns in 'rate', 2 processes"),
        (("rates", "-1 -5"), "line 10: rate of bkg in SR: -5 (positive, or -1 for the histogram)"),
        (("numbers", "1 2"), "line 9: no signal"),
        (("processes", "sig sig"), "line 8: process sig stands twice in SR"),
        (("processes", "sig rest"), "line 4: {folder}/shapes.root has no 'SR/rest'"),
        (("shapes", ""), "observation of SR: -1 and no histogram"),
        (("shapes", SHAPES.replace("shapes.root", "no.root")), "no.root: no such file"),
        (("shapes", "shapes * * f.root w:p"), "line 4: 'w:p' is in a RooWorkspace"),
        (("shapes", SHAPES.replace("shapes.root", "root://x/y.root")), "is remote"),
        (("shapes", "shapes * CR shapes.root SR/$PROCESS"), "no line 'shapes' for data_obs in SR"),
    ],
)
def test_bad_tables_are_named(change, message, tmp_path):
    with pytest.raises(ExchangeError) as caught:
        load(tmp_path, one_channel("", **dict([change])))
    assert message.format(folder=tmp_path) in str(caught.value)


def test_variation_with_other_bins_is_refused(tmp_path):
    path = write_card(tmp_path, one_channel("jes shape 1 -"))
    wrong = {**HISTOGRAMS, "SR/sig_jesUp": ([1.0, 2.0], [0.1, 0.1])}
    write_histograms(tmp_path / "shapes.root", wrong)
    with pytest.raises(ExchangeError, match=r"line 12: .*SR/sig_jesUp has 2 bins, sig in SR has 3"):
        fill_card(read_card(path))


def test_titles_and_rules_of_a_card_are_passed_over(tmp_path):
    text = one_channel("lumi lnN 1.1 -\n- - - -\n*******")
    title = "Combination of a=a.txt b=b.txt\nDate: today\n==========\n"
    model = load(tmp_path, title + text)
    assert model.channels[0].processes[0].norms["lumi"][1] == pytest.approx(math.log(1.1))
    with pytest.raises(ExchangeError, match=r"line 1: 'jmx' before .*; did you mean 'jmax'\?"):
        load(tmp_path, "jmx 3\n" + text)


def test_bins_below_zero_are_cut_as_combine_does(tmp_path):
    path = write_card(tmp_path, one_channel("jes shape - 1"))
    negative = {**HISTOGRAMS, "SR/bkg": ([30.0, 18.0, -3.0], [2.0, 1.5, 1.0])}
    write_histograms(tmp_path / "shapes.root", negative)
    model = fill_card(read_card(path))
    values = model.channels[0].processes[1].values
    assert values == pytest.approx([30.0 * 45.0 / 48.0, 18.0 * 45.0 / 48.0, 0.0])
    assert "bins of bkg in SR, or of its variations, are below zero" in model.notes[0]
    found = certify_card(model, build_workspace(model), refitted=False)
    assert found["agreement"]["largest_relative_difference"] < 1e-9
    path.write_text(path.read_text() + "SR autoMCStats 0\n")
    model = fill_card(read_card(path))
    assert model.channels[0].processes[1].values == pytest.approx([30.0, 18.0, 0.0])


def test_systematics_without_effect_are_named_and_left_out(tmp_path):
    same = {
        **HISTOGRAMS,
        "SR/sig_idleUp": HISTOGRAMS["SR/sig"],
        "SR/sig_idleDown": HISTOGRAMS["SR/sig"],
    }
    path = write_card(tmp_path, one_channel("idle shape 1 -\nunit lnN 1.0/1.0 -\nlumi lnN 1.1 -"))
    write_histograms(tmp_path / "shapes.root", same)
    model = fill_card(read_card(path))
    assert model.notes == ("without effect, and left out: idle",)
    names = {m["name"] for m in build_workspace(model)["channels"][0]["samples"][0]["modifiers"]}
    assert names == {"r", "lumi"}


def test_contents_that_are_no_numbers_are_refused(tmp_path):
    path = write_card(tmp_path, one_channel("", processes="sig bkg"))
    wrong = {**HISTOGRAMS, "SR/bkg": ([1.0, math.nan, 1.0], [0.1, 0.1, 0.1])}
    write_histograms(tmp_path / "shapes.root", wrong)
    with pytest.raises(ExchangeError, match="SR/bkg: content of bin 1 is nan"):
        fill_card(read_card(path))


@pytest.mark.parametrize("kept", [0, 40, 300, 1000, 0.5, 0.9])
def test_truncated_files_are_refused(kept, tmp_path):
    path = write_card(tmp_path, one_channel("jes shape 1 1"))
    file = tmp_path / "shapes.root"
    whole = file.read_bytes()
    file.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(ExchangeError, match=r"shapes\.root"):
        fill_card(read_card(path))


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_end_in_one_line(seed, tmp_path):
    """Bytes of a ROOT file that are changed at random: an error that is explained, or none."""
    path = write_card(tmp_path, one_channel("jes shape 1 1"))
    file = tmp_path / "shapes.root"
    raw = np.frombuffer(file.read_bytes(), dtype=np.uint8).copy()
    rng = np.random.default_rng(seed)
    raw[rng.integers(0, len(raw), 30)] = rng.integers(0, 256, 30)
    file.write_bytes(raw.tobytes())
    message = ""
    try:
        fill_card(read_card(path))
    except TaipanError as error:
        message = str(error)
    assert "\n" not in message


WORDS = st.sampled_from(
    re.split(
        " ",
        "imax jmax kmax * - 0 1 -1 1e9 nan inf shapes FAKE SR bin process rate observation sig bkg "
        "lnN shape shape? gmN rateParam param extArg autoMCStats group = += nuisance edit add drop "
        "rename freeze split merge flip ( ) [0,1] [1,0] 1.1/0.9 (@0*@1) a,b $MASS ../x [nofloat]",
    )
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(sorted(CARDS)),
    edits=st.lists(
        st.tuples(st.integers(0, 400), WORDS | st.text(max_size=6), st.booleans()), max_size=6
    ),
)
@example(name="counting", edits=[(0, "\x00", True)])
def test_any_text_is_a_card_or_an_error_of_one_line(name, edits):
    words = CARDS[name].replace("\n", " \n ").split(" ")
    for place, word, replaced in edits:
        where = place % len(words)
        words[where : where + replaced] = [word]
    message = "card.txt: line 1: none"
    try:
        parse_card(Path("card.txt"), " ".join(words))
    except ExchangeError as error:
        message = str(error)
    assert message.startswith("card.txt: line ")
    assert "\n" not in message
