from __future__ import annotations

import json
import warnings

import hist
import numpy as np
import pyhf
import pytest

from taipan.errors import TaipanError
from taipan.inference import compile_model, fit
from taipan.likelihood import LikelihoodError, build_workspace
from taipan.likelihood.merge import MergeError
from tests.synthetic_templates import (
    EDGES,
    KINEMATIC,
    RATES,
    SAME_SIGN,
    SAMPLES,
    TRANSFER,
    change_same_sign,
    make_config,
    make_histogram,
    nominal,
    settings,
    variation_factor,
)

REGIONS = ("signal", "w_control")
SHIFTED = ["pileup", "tau_energy_scale", "muon_energy_scale", "jet_energy_scale", "met_unclustered"]


def build(histogram=None, config=None, transfer=TRANSFER):
    return build_workspace(
        make_histogram() if histogram is None else histogram,
        make_config() if config is None else config,
        "nn_score",
        transfer,
    )


def change(process, region, variation, factor):
    """Templates with one of them multiplied by a number or an array."""
    histogram = make_histogram()
    index = tuple(
        list(axis).index(label)
        for axis, label in zip(histogram.axes[:3], (process, region, variation), strict=True)
    )
    histogram.view()["value"][index] *= factor
    histogram.view()["variance"][index] *= np.square(factor)
    return histogram


def sample_of(workspace, region, name):
    (channel,) = [c for c in workspace["channels"] if c["name"] == region]
    (sample,) = [s for s in channel["samples"] if s["name"] == name]
    return sample


def modifiers_of(workspace, region, name):
    return {
        (m["name"], m["type"]): m["data"] for m in sample_of(workspace, region, name)["modifiers"]
    }


def pyhf_model(workspace):
    pyhf.set_backend("numpy")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
        return pyhf.Workspace(workspace).model()


def shown(yields, sample):
    """Yields of a sample; QCD without the same-sign simulation that its partners subtract."""
    if sample != "QCD":
        return yields[sample]
    return yields["QCD"] + sum(yields[f"{name}_same_sign"] for name in SAME_SIGN)


def yields_at(workspace, parameter, value):
    """Expected yields by region and sample with one parameter set."""
    model = pyhf_model(workspace)
    values = np.array(model.config.suggested_init())
    values[model.config.par_slice(parameter)] = value
    table = model.main_model.expected_data(values, return_by_sample=True)
    return {
        region: dict(zip(model.config.samples, table[:, bins], strict=True))
        for region, bins in model.config.channel_slices.items()
    }


def test_workspace_is_accepted_by_pyhf_and_nominal_yields_are_the_templates():
    workspace, record = build()
    model = pyhf_model(json.loads(json.dumps(workspace)))
    assert model.config.poi_name == "mu"
    assert model.config.nmaindata == len(EDGES) - 1 + 1
    at_nominal = yields_at(workspace, "mu", 1.0)
    for sample in SAMPLES:
        signal, control = (shown(at_nominal[region], sample) for region in REGIONS)
        np.testing.assert_allclose(signal, nominal(sample, "signal"), 1e-12)
        np.testing.assert_allclose(control, nominal(sample, "w_control").sum(), 1e-12)
    assert record["observable"] == "nn_score"
    assert record["regions"]["signal"]["edges_after"] == EDGES
    assert record["regions"]["w_control"]["edges_after"] == [0.0, 1.0]
    assert record["warnings"] == []
    assert workspace["measurements"][0]["config"]["parameters"] == [
        {"name": "mu", "bounds": [[-20.0, 40.0]], "inits": [1.0]},
        {"name": "w_norm", "bounds": [[0.0, 10.0]], "inits": [1.0]},
    ]


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", SHIFTED[1:])
def test_one_standard_deviation_gives_the_varied_template(name, sign):
    workspace, _ = build()
    varied = yields_at(workspace, name, sign)
    for sample in SAMPLES:
        factor = variation_factor(name, sample, sign) if sample in ("ggH", "qqH", "ZTT") else None
        if factor is not None:
            expected = nominal(sample, "signal") * factor
            np.testing.assert_allclose(varied["signal"][sample], expected, rtol=1e-10)
            expected = (nominal(sample, "w_control") * factor).sum()
            np.testing.assert_allclose(varied["w_control"][sample], expected, rtol=1e-10)
        if sample == "QCD":
            subtracted = sum(
                TRANSFER["value"] * nominal(s, "ss_signal") * (variation_factor(name, s, sign) - 1)
                for s in KINEMATIC[name]
            )
            expected = nominal(sample, "signal") - subtracted
            np.testing.assert_allclose(shown(varied["signal"], sample), expected, rtol=1e-10)


def test_one_sided_variation_is_mirrored():
    workspace, _ = build()
    down = yields_at(workspace, "pileup", -1.0)["signal"]["ZTT"]
    up_factor = variation_factor("pileup", "ZTT", 1.0)
    np.testing.assert_allclose(down, nominal("ZTT", "signal") * (2.0 - up_factor), rtol=1e-10)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_symmetrize_uses_half_the_difference_of_both_templates(sign):
    systematics = settings()["systematics"]
    systematics["tau_energy_scale"]["symmetrize"] = True
    workspace, _ = build(config=make_config(systematics=systematics))
    varied = yields_at(workspace, "tau_energy_scale", sign)["signal"]["ZTT"]
    up, down = (variation_factor("tau_energy_scale", "ZTT", side) for side in (1.0, -1.0))
    assert not np.allclose(up - 1.0, 1.0 - down, rtol=1e-3)
    expected = nominal("ZTT", "signal") * (1.0 + sign * 0.5 * (up - down))
    np.testing.assert_allclose(varied, expected, rtol=1e-10)


def test_shape_part_keeps_the_yield_and_single_bins_have_none():
    workspace, _ = build()
    data = modifiers_of(workspace, "signal", "ZTT")[("tau_energy_scale", "histosys")]
    for template in data.values():
        assert sum(template) == pytest.approx(nominal("ZTT", "signal").sum(), rel=1e-12)
    assert ("tau_energy_scale", "histosys") not in modifiers_of(workspace, "w_control", "ZTT")
    assert ("tau_energy_scale", "normsys") in modifiers_of(workspace, "w_control", "ZTT")


def test_rates_act_on_their_samples_and_regions_only():
    workspace, _ = build()
    signal_w = modifiers_of(workspace, "signal", "W")
    assert signal_w[("w_extrapolation", "normsys")] == {"hi": 1.1, "lo": 0.9}
    assert ("w_extrapolation", "normsys") not in modifiers_of(workspace, "w_control", "W")
    assert modifiers_of(workspace, "signal", "ggH")[("ggh_scale", "normsys")] == {
        "hi": 1.044,
        "lo": pytest.approx(0.931),
    }
    assert ("luminosity", "normsys") not in signal_w
    for region in ("signal", "w_control"):
        assert modifiers_of(workspace, region, "QCD")[("qcd_os_ss", "normsys")] == {
            "hi": 1.06,
            "lo": 0.94,
        }
        assert ("w_norm", "normfactor") in modifiers_of(workspace, region, "W")
        for sample in SAMPLES:
            for name in [sample, f"{sample}_same_sign"] if sample != "QCD" else [sample]:
                found = modifiers_of(workspace, region, name)
                assert (("mu", "normfactor") in found) == (sample in ("ggH", "qqH"))
                assert (("w_norm", "normfactor") in found) == (sample == "W")
                assert (("luminosity", "normsys") in found) == (sample in RATES["luminosity"][1])


@pytest.mark.parametrize(
    ("parameter", "samples"),
    [
        ("staterror_signal", [name for name in SAMPLES if name not in ("ggH", "qqH")]),
        ("staterror_signal_signals", ["ggH", "qqH"]),
    ],
)
def test_statistics_of_all_samples_enter_staterror(parameter, samples):
    """Signals apart: a factor shared with the backgrounds biased μ by +0.05 σ."""
    workspace, _ = build()
    model = pyhf_model(workspace)
    total = sum(nominal(sample, "signal") for sample in samples)
    # the signals among same-sign events are in those of the background until they are subtracted
    own = 1.0 if "ggH" in samples else -1.0
    contamination = sum(nominal(sample, "ss_signal") for sample in ("ggH", "qqH"))
    total = total - own * TRANSFER["value"] * contamination
    variance = sum(nominal(sample, "signal") / SAMPLES[sample][3] for sample in samples)
    sigmas = model.config.param_set(parameter).sigmas
    np.testing.assert_allclose(sigmas, np.sqrt(variance) / total, rtol=1e-12)
    fit = {**settings()["fit"], "mc_statistics": False}
    workspace, _ = build(config=make_config(fit=fit))
    assert parameter not in pyhf_model(workspace).config.parameters


@pytest.mark.parametrize("scale", [0.8, 1.3])
def test_normalisation_of_w_is_found_in_opposite_and_same_sign(scale):
    """The simulation subtracted from same-sign data once stayed at its nominal normalisation."""
    histogram = make_histogram(scale={"W": scale})
    qcd = histogram[hist.loc("QCD"), hist.loc("signal"), hist.loc("nominal"), :].values()
    wrong = TRANSFER["value"] * (scale - 1.0) * nominal("W", "ss_signal")
    np.testing.assert_allclose(qcd, nominal("QCD", "signal") + wrong, rtol=1e-10)
    workspace, _ = build(histogram)
    for region in REGIONS:
        found = yields_at(workspace, "w_norm", scale)[region]
        single = np.sum if region == "w_control" else np.asarray
        others = sum(nominal(s, region) for s in SAMPLES if s != "W")
        np.testing.assert_allclose(
            sum(found.values()), single(others + scale * nominal("W", region)), rtol=1e-10
        )
    model = compile_model(workspace)
    best = fit(model, model.observed)
    assert best.values[model.parameters.index("w_norm")] == pytest.approx(scale, abs=2e-3)
    assert best.values[model.poi] == pytest.approx(1.0, abs=0.1)


def test_data_driven_sample_follows_the_variations_of_what_is_subtracted():
    workspace, _ = build()
    modifiers = modifiers_of(workspace, "signal", "QCD")
    assert ("jet_energy_scale", "histosys") in modifiers
    assert ("luminosity", "normsys") not in modifiers
    only = {"tau_energy_scale": {**settings()["systematics"]["tau_energy_scale"]}}
    only["tau_energy_scale"]["regions"] = ["signal"]
    workspace, _ = build(config=make_config(systematics=only))
    assert ("tau_energy_scale", "normsys") in modifiers_of(workspace, "signal", "QCD")
    assert ("tau_energy_scale", "normsys") not in modifiers_of(workspace, "w_control", "QCD")


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_rate_of_a_data_driven_sample_scales_what_is_left_after_the_subtraction(sign):
    """And what it shares with a subtracted sample scales that twice, as two factors do."""
    own = {"kind": "rate", "size": 0.2, "samples": ["QCD"]}
    both = {"kind": "rate", "size": 0.1, "samples": ["QCD", "W"]}
    systematics = {**settings()["systematics"], "own": own, "both": both}
    workspace, _ = build(config=make_config(systematics=systematics))
    factor = 1.0 + 0.2 * sign
    found = shown(yields_at(workspace, "own", sign)["signal"], "QCD")
    np.testing.assert_allclose(found, factor * nominal("QCD", "signal"), rtol=1e-10)
    factor = 1.0 + 0.1 * sign
    subtracted = TRANSFER["value"] * nominal("W", "ss_signal")
    wanted = factor * (nominal("QCD", "signal") - (factor - 1.0) * subtracted)
    found = shown(yields_at(workspace, "both", sign)["signal"], "QCD")
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_estimate_that_does_not_belong_to_the_factor_is_refused():
    with pytest.raises(LikelihoodError, match="QCD, region signal: the template is not 1.1 times"):
        build(transfer={**TRANSFER, "value": 1.1})


def test_flow_bins_are_folded_into_the_edge_bins():
    histogram = make_histogram()
    flow = histogram.view(flow=True)
    before = histogram.copy()
    process = list(histogram.axes[0]).index("ZTT")
    for position, content in ((0, 7.0), (-1, 5.0)):
        flow["value"][process, 0, :, position] = content
        flow["variance"][process, 0, :, position] = 2 * content
    workspace, record = build(histogram)
    values = np.array(sample_of(workspace, "signal", "ZTT")["data"])
    expected = nominal("ZTT", "signal")
    expected[[0, -1]] += [7.0, 5.0]
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    stat = modifiers_of(workspace, "signal", "ZTT")[("staterror_signal", "staterror")]
    variance = np.square(stat).sum() - (nominal("ZTT", "signal") / SAMPLES["ZTT"][3]).sum()
    assert variance == pytest.approx(24.0, rel=1e-9)
    assert record["regions"]["signal"]["samples"]["ZTT"]["yield"] == pytest.approx(36012.0)
    assert before == make_histogram()


def test_blinded_workspace_has_asimov_signal_region_and_real_control_region():
    data = {"signal": np.full(len(EDGES) - 1, 123.0), "w_control": np.full(len(EDGES) - 1, 2100.0)}
    blinded = make_config(fit={**settings()["fit"], "unblind": False})
    workspace, record = build(make_histogram(data), blinded)
    observed = {o["name"]: o["data"] for o in workspace["observations"]}
    expected = sum(nominal(sample, "signal") for sample in SAMPLES)
    np.testing.assert_allclose(observed["signal"], expected, rtol=1e-12)
    assert observed["w_control"] == [2100.0 * (len(EDGES) - 1)]
    assert record["blinded"] is True
    workspace, record = build(make_histogram(data))
    observed = {o["name"]: o["data"] for o in workspace["observations"]}
    assert observed["signal"] == [123.0] * (len(EDGES) - 1)
    assert record["blinded"] is False


def test_bins_are_merged_alike_in_templates_variations_and_data():
    factor = np.ones(len(EDGES) - 1)
    factor[5] = -1.0
    histogram = change_same_sign(make_histogram(), "signal", nominal("QCD", "signal") * factor)
    workspace, record = build(histogram, make_config(templates={"negative_bins": "merge"}))
    kept = [edge for i, edge in enumerate(EDGES) if i != 5]
    assert record["regions"]["signal"]["edges_after"] == kept
    assert record["regions"]["signal"]["merged"][0]["bins"] == [4, 5]
    assert json.loads(json.dumps(record)) == record
    qcd = nominal("QCD", "signal")
    found = shown(yields_at(workspace, "mu", 1.0)["signal"], "QCD")
    assert found[4] == pytest.approx(qcd[4] - qcd[5])
    moved = yields_at(workspace, "tau_energy_scale", 1.0)["signal"]["ZTT"]
    up = nominal("ZTT", "signal") * variation_factor("tau_energy_scale", "ZTT", 1.0)
    assert moved[4] == pytest.approx(up[4] + up[5], rel=1e-10)
    data = np.round(sum(nominal(sample, "signal") for sample in SAMPLES))
    assert workspace["observations"][0]["data"][4] == data[4] + data[5]


def test_variation_outside_its_regions_is_not_repaired():
    factor = np.ones(len(EDGES) - 1)
    factor[5] = -1.0
    histogram = change("ZTT", "signal", "tau_energy_scale_up", factor)
    (entry,) = build(histogram)[1]["treatment"]["repaired"]
    assert (entry["label"], entry["bins"]) == ("tau_energy_scale_up", (5,))
    systematics = settings()["systematics"]
    systematics["tau_energy_scale"]["regions"] = ["w_control"]
    workspace, record = build(histogram, make_config(systematics=systematics))
    assert record["treatment"]["repaired"] == []
    assert record["regions"]["signal"]["merged"] == []
    assert ("tau_energy_scale", "normsys") in modifiers_of(workspace, "w_control", "ZTT")
    assert ("tau_energy_scale", "normsys") not in modifiers_of(workspace, "signal", "ZTT")


@pytest.mark.parametrize(("bin_", "side"), [(0, "below"), (-1, "above")])
def test_events_that_are_all_in_an_edge_bin_are_reported(bin_, side):
    """Edges in MeV of a quantity in GeV: one bin was fitted without a word."""
    histogram = make_histogram()
    places = [i for i, name in enumerate(histogram.axes[1]) if name in ("signal", "ss_signal")]
    for content in ("value", "variance"):
        view = histogram.view(flow=True)[content]
        for place in places:  # and the source of its estimate
            total = view[:, place].sum(axis=-1)
            view[:, place] = 0.0
            view[:, place, :, bin_] = total  # all beyond the edge
    _, record = build(histogram)
    (said,) = (text for text in record["warnings"] if "another unit" in text)
    edges = histogram.axes[3].edges
    low, high = (edges[0], edges[1]) if side == "below" else (edges[-2], edges[-1])
    assert said == (
        f"region signal: every event is in the bin {low:g} to {high:g} or {side} it; the binning "
        "may be in another unit"
    )
    assert not [text for text in build(make_histogram())[1]["warnings"] if "another unit" in text]


def test_simulated_process_without_positive_yield_is_an_error():
    with pytest.raises(
        LikelihoodError, match=r"sample TT, region w_control: Σw = -2500; the yield"
    ):
        build(change("TT", "w_control", "nominal", -1.0))


def test_simulated_process_without_events_in_a_region_is_left_out_and_reported():
    """The run once ended here, after the training."""
    histogram = make_histogram()
    places = [list(histogram.axes[0]).index("TT"), list(histogram.axes[1]).index("w_control")]
    for content in ("value", "variance"):
        histogram.view(flow=True)[content][tuple(places)] = 0.0
    workspace, record = build(histogram)
    names = {c["name"]: [s["name"] for s in c["samples"]] for c in workspace["channels"]}
    assert "TT" not in names["w_control"]
    assert "TT" in names["signal"]
    warning = "sample TT has no event in region w_control and is left out there"
    assert record["warnings"] == [warning]
    config = make_config()
    confined = config.samples["TT"].model_copy(update={"regions": ["signal"]})
    config = config.model_copy(update={"samples": {**config.samples, "TT": confined}})
    again, record = build(histogram, config)
    assert record["warnings"] == []
    assert again["channels"] == workspace["channels"]


def test_data_driven_process_below_zero_is_kept_and_reported():
    """It was left out once, which biased the prediction of the region."""
    histogram = change_same_sign(make_histogram(), "w_control", -nominal("QCD", "w_control"))
    workspace, record = build(histogram)
    found = shown(yields_at(workspace, "mu", 1.0)["w_control"], "QCD")
    assert found == pytest.approx(-600.0)
    assert record["warnings"] == [
        "sample QCD, estimated from data, has Σw = -600 in region w_control: data are below the "
        "simulation that is subtracted"
    ]
    compile_model(workspace)


def test_region_without_events_is_named():
    histogram = make_histogram()
    histogram.view()["value"][:, 1] = 0.0
    histogram.view()["variance"][:, 1] = 0.0
    with pytest.raises(LikelihoodError, match=r"region w_control: .*cut \(mt > 70\)"):
        build(histogram)


def test_variation_that_changes_nothing_is_an_error():
    histogram = make_histogram()
    variations = list(histogram.axes[2])
    for direction in ("up", "down"):
        for quantity in ("value", "variance"):
            view = histogram.view()[quantity]
            view[:, :, variations.index(f"met_unclustered_{direction}")] = view[:, :, 0]
    with pytest.raises(LikelihoodError, match=r"systematics.met_unclustered: changes no fitted"):
        build(histogram)
    systematics = settings()["systematics"]
    systematics["ghost"] = {"kind": "rate", "size": 0.1, "samples": ["W"], "regions": ["ss_signal"]}
    with pytest.raises(LikelihoodError, match=r"systematics.ghost: .*regions ss_signal"):
        build(config=make_config(systematics=systematics))


def test_sample_that_a_systematic_does_not_change_is_warned_of(caplog):
    histogram = make_histogram()
    processes, variations = list(histogram.axes[0]), list(histogram.axes[2])
    for direction in ("up", "down"):
        row = (processes.index("TT"), slice(None))
        for quantity in ("value", "variance"):
            view = histogram.view()[quantity]
            view[(*row, variations.index(f"met_unclustered_{direction}"))] = view[(*row, 0)]
    _, record = build()
    assert not [line for line in record["warnings"] if line.startswith("systematics.")]
    _, record = build(histogram)
    message = "systematics.met_unclustered: changes no fitted template of sample TT"
    assert [line for line in record["warnings"] if line.startswith("systematics.")] == [message]
    assert message in caplog.text


def test_missing_variation_names_systematic_and_sample():
    histogram = make_histogram()
    index = list(histogram.axes[2]).index("jet_energy_scale_up")
    for quantity in ("value", "variance"):
        histogram.view()[quantity][4, :, index] = 0.0
    message = "systematics.jet_energy_scale: no template 'jet_energy_scale_up' for sample TT"
    with pytest.raises(LikelihoodError, match=message):
        build(histogram)
    histogram = make_histogram()
    index = list(histogram.axes[2]).index("jet_energy_scale_down")
    for quantity in ("value", "variance"):
        histogram.view()[quantity][4, :, index] = 0.0
    with pytest.raises(LikelihoodError, match="sample TT has no template 'jet_energy_scale_down'"):
        build(histogram)


def test_factor_that_is_not_positive_is_raised_and_reported():
    workspace, record = build(transfer={**TRANSFER, "relative_uncertainty": 1.4})
    assert modifiers_of(workspace, "signal", "QCD")[("qcd_os_ss", "normsys")] == {
        "hi": 2.4,
        "lo": 0.01,
    }
    assert record["warnings"][0] == (
        "qcd_os_ss: yield of QCD in signal times -0.4 at -1σ, raised to 0.01"
    )


@pytest.mark.parametrize(
    ("key", "what"),
    [("value", "factor"), ("relative_uncertainty", "relative uncertainty")],
)
@pytest.mark.parametrize("bad", [0.0, None, float("nan")])
def test_transfer_factor_that_is_not_positive_is_an_error(key, what, bad):
    number = "nan" if bad is None else f"{bad:g}"
    message = f"samples.QCD.estimate: {what} of region signal is {number}; it must be a positive"
    with pytest.raises(TaipanError, match=message):
        build(transfer={**TRANSFER, key: bad})


def test_no_transfer_factor_no_modifier():
    workspace, _ = build(transfer=None)
    assert ("qcd_os_ss", "normsys") not in modifiers_of(workspace, "signal", "QCD")


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        ({"poi": "luminosity"}, "luminosity: the name is taken by fit.poi"),
        ({"poi_range": (2.0, 3.0)}, r"fit.poi_range: \[2, 3\] must contain 1"),
        ({"free_normalisations": {"x": "WW"}}, r"free_normalisations.x: 'WW' is not a sample"),
        ({"free_normalisations": {"luminosity": "W"}}, "the name is taken by fit.free_norm"),
        ({"free_normalisations": {"mu": "W"}}, "free_normalisations.mu: the name is taken"),
    ],
)
def test_bad_fit_settings_are_named(fit, message):
    with pytest.raises(LikelihoodError, match=message):
        build(config=make_config(fit={**settings()["fit"], **fit}))


def test_wrong_axes_and_storage_are_named():
    with pytest.raises(LikelihoodError, match=r"axes are \['x'\]"):
        build(hist.Hist(hist.axis.Regular(3, 0, 1, name="x"), storage=hist.storage.Weight()))
    counts = hist.Hist(*make_histogram().axes, storage=hist.storage.Double())
    with pytest.raises(LikelihoodError, match="storage is Double, expected Weight"):
        build(counts)
    samples = settings()["samples"]
    samples["VV"] = {"label": "VV", "datasets": ["MC_VV"]}
    with pytest.raises(LikelihoodError, match="process VV is missing; present: ggH"):
        build(config=make_config(samples=samples))


def test_background_that_is_negative_in_total_is_an_error():
    qcd = -60.0 * nominal("QCD", "w_control")
    with pytest.raises(MergeError, match="the total background is -"):
        build(change_same_sign(make_histogram(), "w_control", qcd))
