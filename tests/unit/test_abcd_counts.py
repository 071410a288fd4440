"""ABCD with the counts of B, C and D in the fit: closed forms, and pseudo-data of known truth."""

from __future__ import annotations

from typing import Any

import hist
import numpy as np
import pytest

from taipan.config.model import Config
from taipan.config.sections.regions import Region
from taipan.errors import TaipanError
from taipan.estimates.registry import MeasuredEstimate, read_estimate
from taipan.inference import compile_model, fit
from taipan.labels import DATA, NOMINAL
from taipan.likelihood import build_workspace
from taipan.templates.combine import add_estimate

PLANE = {"source": "b", "numerator": "c", "denominator": "d"}
CUTS = {"a": "x > 0 and y > 0", "b": "x > 0 and y < 0", "c": "x < 0 and y > 0"}
CUTS["d"] = "x < 0 and y < 0"


def config(edges: list[float], **keys: Any) -> Config:
    estimate = {"method": "abcd", "planes": {"a": PLANE}, "statistics": "poisson", **keys}
    return Config.model_validate(
        {
            "analysis": "toy",
            "title": "toy",
            "data": ["Data"],
            "samples": {
                "S": {"role": "signal", "datasets": ["s"]},
                "Z": {"datasets": ["z"]},
                "jets": {"estimate": estimate},
            },
            "regions": {
                name: {"cut": cut, "role": "signal" if name == "a" else "estimate"}
                for name, cut in CUTS.items()
            },
            "observables": {"m": {"label": "m", "binning": edges}},
            "fit": {
                "observable": "m",
                "unblind": True,
                "mc_statistics": False,
                "poi_range": [-20, 40],
            },
            "templates": {"min_effective_events": 0.0},
        }
    )


def build(
    tables: dict[str, dict[str, list[float]]], **keys: Any
) -> tuple[dict[str, Any], dict[str, Any], MeasuredEstimate]:
    """Model of yields of each process (S, Z, data) in the bins of each region."""
    bins = len(tables[DATA]["a"])
    edges = [float(i) for i in range(bins + 1)]
    histogram = hist.Hist(
        hist.axis.StrCategory(["S", "Z", "jets", DATA], name="process"),
        hist.axis.StrCategory(list(CUTS), name="region"),
        hist.axis.StrCategory([NOMINAL], name="variation"),
        hist.axis.Variable(edges, name="m"),
        storage=hist.storage.Weight(),
    )
    view = histogram.view(flow=True)
    for i, process in ((0, "S"), (1, "Z"), (3, DATA)):
        for j, region in enumerate(CUTS):
            values = np.array(tables[process].get(region, np.zeros(bins)), float)
            view["value"][i, j, 0, 1 : bins + 1] = view["variance"][i, j, 0, 1 : bins + 1] = values
    settings = config(edges, **keys)
    excess = {
        name: sum(tables[DATA][name]) - sum(sum(tables[p].get(name, [])) for p in ("S", "Z"))
        for name in CUTS
    }
    variance = {name: sum(tables[DATA][name]) for name in CUTS}
    method = settings.samples["jets"].estimate
    assert method is not None
    record = method.measure({name: (excess[name], variance[name]) for name in method.measured_in})
    estimate = read_estimate(settings.samples, record)
    assert estimate is not None
    filled = add_estimate(histogram, settings.samples, settings.regions, [], estimate)
    return (*build_workspace(filled, settings, "m", record), estimate)


def best(workspace: dict[str, Any]) -> tuple[float, float]:
    model = compile_model(workspace)
    result = fit(model, model.observed)
    place = list(model.parameters.names).index("mu")
    return float(result.values[place]), float(result.sigma[place])


SIMPLE = {
    "S": {"a": [10.0]},
    "Z": {"a": [20.0]},
    DATA: {"a": [150.0], "b": [60.0], "c": [80.0], "d": [40.0]},
}


def test_fit_of_four_counts_has_the_closed_form() -> None:
    """μ = (A − Z − BC/D)/S and σ² = (A + (BC/D)² (1/B + 1/C + 1/D))/S²."""
    workspace, record, estimate = build(SIMPLE)
    assert [item["name"] for item in workspace["channels"]] == ["a", "b", "c", "d"]
    assert estimate.factor("a") == 2.0
    jets = 60.0 * 80.0 / 40.0
    mu, sigma = best(workspace)
    assert mu == pytest.approx((150.0 - 20.0 - jets) / 10.0, abs=1e-4)
    variance = 150.0 + jets**2 * (1 / 60 + 1 / 80 + 1 / 40)
    assert sigma == pytest.approx(variance**0.5 / 10.0, rel=0.01)
    assert record["regions"]["b"]["role"] == "estimate"
    assert {name: len(item["edges_after"]) for name, item in record["regions"].items()} == {
        "a": 2, "b": 2, "c": 2, "d": 2,
    }  # fmt: skip


def test_signal_in_b_c_and_d_scales_with_its_strength() -> None:
    """Data are those of μ = 3 with a tenth of the signal in B, C and D: the fit finds 3."""
    signal = {"a": [20.0, 30.0], "b": [2.0, 3.0], "c": [4.0, 4.0], "d": [0.2, 0.2]}
    jets = {"b": np.array([60.0, 40.0]), "c": np.array([90.0, 60.0]), "d": np.array([45.0, 30.0])}
    jets["a"] = 2.0 * jets["b"]
    zz = {"a": [5.0, 4.0], "b": [3.0, 2.0], "c": [6.0, 4.0], "d": [2.0, 1.0]}
    data = {n: (jets[n] + 3.0 * np.array(signal[n]) + np.array(zz[n])).tolist() for n in CUTS}
    workspace, _, _ = build({"S": signal, "Z": zz, DATA: data})
    assert best(workspace)[0] == pytest.approx(3.0, abs=1e-3)
    # taken as they are, with the signal of μ = 1 subtracted in C and D, they give another strength
    gaussian, _, _ = build({"S": signal, "Z": zz, DATA: data}, statistics="gaussian")
    assert abs(best(gaussian)[0] - 3.0) > 0.05


def test_few_counts_are_no_gaussian_ones() -> None:
    """B = 1: 2ΔlnL of μ from the four Poisson terms alone, minimised by hand over q_B."""
    tables = {
        "S": {"a": [10.0]},
        "Z": {"a": [1.0]},
        DATA: {"a": [8.0], "b": [1.0], "c": [400.0], "d": [400.0]},
    }
    workspace, _, _ = build(tables)
    mu, _ = best(workspace)
    assert mu == pytest.approx((8.0 - 1.0 - 1.0) / 10.0, abs=1e-3)
    # nothing in B: the estimate is 0, and the fit still has a minimum
    tables[DATA]["b"] = [0.0]
    assert best(build(tables)[0])[0] == pytest.approx(0.7, abs=2e-2)


def test_pulls_of_the_estimate_have_width_one() -> None:
    """200 sets of pseudo-data in two bins; A counts μ S and q_B q_C / q_D."""
    rng = np.random.default_rng(1507)
    truth = {"b": np.array([60.0, 30.0]), "c": np.array([90.0, 60.0]), "d": np.array([45.0, 30.0])}
    truth["a"] = 2.0 * truth["b"]
    signal = {"a": [20.0, 40.0], "b": [1.0, 2.0], "c": [1.0, 1.0], "d": [0.5, 0.5]}
    zz = {"a": [10.0, 5.0], "b": [5.0, 4.0], "c": [10.0, 5.0], "d": [4.0, 3.0]}
    expected = {n: truth[n] + np.array(signal[n]) + np.array(zz[n]) for n in CUTS}
    workspace, _, _ = build(
        {"S": signal, "Z": zz, DATA: {n: v.tolist() for n, v in expected.items()}}
    )
    model = compile_model(workspace)
    place = list(model.parameters.names).index("mu")
    sizes = [len(item["samples"][0]["data"]) for item in workspace["channels"]]
    assert sizes == [2, 2, 1, 1]
    pulls = []
    for _ in range(200):
        counts = {n: rng.poisson(v).astype(float) for n, v in expected.items()}
        drawn = [*counts["a"], *counts["b"], counts["c"].sum(), counts["d"].sum()]
        data = np.concatenate([drawn, model.observed[len(drawn) :]])
        result = fit(model, data)
        pulls.append((result.values[place] - 1.0) / result.sigma[place])
    assert np.std(pulls) == pytest.approx(1.0, abs=0.1)
    assert abs(np.mean(pulls)) < 3.0 / np.sqrt(200)


def test_non_closure_is_a_parameter_of_the_estimate_alone() -> None:
    for statistics in ("poisson", "gaussian"):
        workspace, record, _ = build(SIMPLE, non_closure=0.1, statistics=statistics)
        (jets,) = [item for item in workspace["channels"][0]["samples"] if item["name"] == "jets"]
        (found,) = [m for m in jets["modifiers"] if m["name"] == "abcd_non_closure"]
        assert found["data"] == {"hi": pytest.approx(1.1), "lo": pytest.approx(0.9)}
        assert record["systematics"]["abcd_non_closure"] == pytest.approx(0.1)
        _, sigma = best(workspace)
        variance = 150.0 + 120.0**2 * (1 / 60 + 1 / 80 + 1 / 40 + 0.1**2)
        if statistics == "poisson":
            assert sigma == pytest.approx(variance**0.5 / 10.0, rel=0.01)


def test_closure_is_measured_in_a_validation_plane() -> None:
    """90 observed, 40 × 60 / 30 = 80 estimated: 1.125 ± 1.125 √(1/90 + 1/40 + 1/60 + 1/30)."""
    valid = {"region": "va", "source": "vb", "numerator": "vc", "denominator": "vd"}
    content = config([0.0, 1.0], non_closure=valid)
    method = content.samples["jets"].estimate
    assert method is not None
    assert method.measured_in == ("c", "d", "va", "vb", "vc", "vd")
    yields = {"c": (80.0, 80.0), "d": (40.0, 40.0), "va": (90.0, 90.0), "vb": (40.0, 40.0)}
    yields |= {"vc": (60.0, 60.0), "vd": (30.0, 30.0)}
    record = method.measure(yields)
    sigma = 1.125 * (1 / 90 + 1 / 40 + 1 / 60 + 1 / 30) ** 0.5
    assert record["non_closure"]["observed_over_estimated"] == pytest.approx(1.125)
    assert record["non_closure"]["sigma"] == pytest.approx(sigma)
    assert record["non_closure"]["size"] == pytest.approx(sigma)
    found = record | {"non_closure": {**record["non_closure"], "size": 0.3}}
    (part,) = MeasuredEstimate("jets", method, found).parts("a")
    assert part.changes["abcd_non_closure"].data == (1.3, 0.7)
    lines = list(method.check("e", content))
    assert [line.partition(":")[0] for line in lines] == [
        f"e.non_closure.{key}" for key in ("source", "numerator", "denominator", "region")
    ]


def test_planes_that_cannot_be_fitted_together_are_refused() -> None:
    two = {"a": PLANE, "a2": {**PLANE, "denominator": "d2"}}
    content = config([0.0, 1.0], planes=two)
    more = {"a2": Region(cut="x > 9 and y > 0", role="signal"), "d2": Region(cut="y < -9")}
    content = content.model_copy(update={"regions": {**content.regions, **more}})
    method = content.samples["jets"].estimate
    assert method is not None
    lines = list(method.check("e", content))
    assert any(
        line.startswith("e.planes.a2.source: 'b' is also that of 'a'; with statistics: poisson")
        for line in lines
    )
    gaussian = config([0.0, 1.0], planes=two, statistics="gaussian").samples["jets"].estimate
    assert gaussian is not None
    assert not any("poisson" in line for line in gaussian.check("e", content))
    with pytest.raises(TaipanError, match=r"data minus simulation is 0 in region 'd'"):
        method.measure({"c": (1.0, 1.0), "d": (0.0, 0.0), "d2": (1.0, 1.0)})
