"""Fake factors on pseudo-data whose truth is known, and their parameters in the fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hist
import numpy as np
import pytest

from taipan.config.model import Config
from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.coverage.truth import Truth, draw_factors
from taipan.errors import TaipanError
from taipan.estimates.fake_factor import FakeFactor
from taipan.estimates.registry import MeasuredEstimate, add_divided, find_estimate
from taipan.events.load import DatasetEvents
from taipan.events.measured import EstimateSums
from taipan.events.variations import template_variations, varied_regions
from taipan.events.weights import EventWeights
from taipan.labels import DATA, NOMINAL
from taipan.likelihood import build_workspace
from taipan.nn.collect import CollectSettings, weigh_samples
from taipan.systematics.registry import make_systematic
from taipan.templates.combine import add_datasets, add_estimate, list_yields
from taipan.templates.fill import FillSettings, fill_dataset
from tests.tiny_analysis import ANALYSIS

EDGES = [0.0, 1.0, 2.0, 3.0]
QUANTITY = [0.0, 1.0, 2.0, 3.0]
ESTIMATE: dict[str, Any] = {
    "method": "fake_factor",
    "regions": {"sr": "ar"},
    "numerator": "passing",
    "denominator": "failing",
    "binning": {"p": QUANTITY},
}
CUTS = {"sr": "y < 0.5", "ar": "y > 0.5 and y < 1.5", "passing": "y > 1.5 and y < 2.5"}
CUTS["failing"] = "y > 2.5"
REGIONS = {n: Region(cut=c, role="signal" if n == "sr" else "estimate") for n, c in CUTS.items()}
OBSERVABLES = {"x": Observable(label="x", binning=EDGES)}

# the truth: anti-isolated multijets in bins of x and p, failing ones in bins of p, and the factor
FACTORS = np.array([0.5, 0.25, 0.1])
ANTI = np.array([[200.0, 150.0, 90.0], [120.0, 160.0, 200.0], [60.0, 100.0, 300.0]])
FAILING = np.array([500.0, 800.0, 1500.0])
TRUTH = ANTI @ FACTORS
# true leptons: in the application region, and passing and failing
LEPTONS = {"ar": ANTI * 0.15, "passing": np.array([40.0, 30.0, 20.0])}
LEPTONS["failing"] = np.array([25.0, 40.0, 50.0])
WEIGHT = 0.5  # of a simulated event


def samples(**keys: Any) -> dict[str, Sample]:
    return {
        "S": Sample(role="signal", datasets=["s"]),
        "Z": Sample(datasets=["z"]),
        "jets": Sample.model_validate({"estimate": {**ESTIMATE, **keys}}),
    }


def method(**keys: Any) -> FakeFactor:
    found = samples(**keys)["jets"].estimate
    assert isinstance(found, FakeFactor)
    return found


def empty() -> hist.Hist:
    return hist.Hist(
        hist.axis.StrCategory(["S", "Z", "jets", DATA], name="process"),
        hist.axis.StrCategory(list(add_divided(REGIONS, samples())), name="region"),
        hist.axis.StrCategory([NOMINAL], name="variation"),
        hist.axis.Variable(EDGES, name="x"),
        storage=hist.storage.Weight(),
    )


def draw(rng: np.random.Generator, **keys: Any) -> tuple[hist.Hist, MeasuredEstimate]:
    """One set of pseudo-data as tables: counts of data and of simulation, and what is measured."""
    histogram, yields, simulated = empty(), {}, {}
    view = histogram.view(flow=True)
    regions = list(histogram.axes[1])
    for b in range(3):
        for name, jets in (("passing", FACTORS * FAILING), ("failing", FAILING)):
            events = rng.poisson(LEPTONS[name][b] / WEIGHT)
            data = rng.poisson(jets[b] + LEPTONS[name][b])
            key = f"{name}[{b}]"
            yields[key] = (float(data - WEIGHT * events), float(data + WEIGHT**2 * events))
            simulated[key] = WEIGHT * events
        place = regions.index(f"ar[{b}]")
        events = rng.poisson(LEPTONS["ar"][:, b] / WEIGHT)
        view["value"][1, place, 0, 1:4] = WEIGHT * events
        view["variance"][1, place, 0, 1:4] = WEIGHT**2 * events
        data = rng.poisson(ANTI[:, b] + LEPTONS["ar"][:, b])
        view["value"][3, place, 0, 1:4] = view["variance"][3, place, 0, 1:4] = data
    chosen = method(**keys)
    estimate = MeasuredEstimate("jets", chosen, chosen.measure(yields, simulated))
    return add_estimate(histogram, samples(**keys), REGIONS, [], estimate), estimate


def estimated(histogram: hist.Hist, estimate: MeasuredEstimate) -> tuple[np.ndarray, np.ndarray]:
    """The estimate in bins of x, and its variance with the statistics of the factors."""
    cell = histogram[hist.loc("jets"), hist.loc("sr"), 0, :]
    variance = np.asarray(cell.variances())
    for b, part in enumerate(estimate.parts("sr")):
        place = list(histogram.axes[1]).index(part.place)
        excess = histogram.view()["value"][3, place, 0] - histogram.view()["value"][1, place, 0]
        size = part.changes[f"fake_factor_{b}"].size
        variance = variance + (size * part.factor * excess) ** 2
    return np.asarray(cell.values()), variance


def test_estimates_spread_about_the_truth_as_their_uncertainties_say() -> None:
    """200 sets: mean of the pulls below 3/√200, widths 1 ± 0.1, in each bin."""
    rng = np.random.default_rng(1507)
    pulls = []
    for _ in range(200):
        values, variance = estimated(*draw(rng))
        pulls.append((values - TRUTH) / np.sqrt(variance))
    widths, means = np.std(pulls, axis=0), np.mean(pulls, axis=0)
    np.testing.assert_allclose(widths, 1.0, atol=0.1)
    np.testing.assert_allclose(means, 0.0, atol=3.0 / np.sqrt(200))


def dataset(
    rng: np.random.Generator, name: str, tables: dict[str, np.ndarray], weight: float | None
) -> DatasetEvents:
    """Events of expected numbers in y, x and p."""
    columns: dict[str, list[np.ndarray]] = {"x": [], "y": [], "p": []}
    for code, region in enumerate(CUTS):
        table = np.atleast_2d(tables.get(region, np.zeros((1, 3))))
        for i, j in np.ndindex(table.shape):
            n = rng.poisson(table[i, j] / (weight or 1.0))
            columns["x"].append(i + rng.uniform(size=n))
            # the first and the last bin have no outer edge
            columns["p"].append(
                j + rng.uniform(size=n) + {0: -5.0 * (rng.uniform(size=n) > 0.5)}.get(j, 0.0)
            )
            columns["y"].append(np.full(n, float(code)))
    merged: dict[str, Any] = {key: np.concatenate(values) for key, values in columns.items()}
    n = len(merged["x"])
    weights = None if weight is None else EventWeights(np.full(n, weight), {})
    return DatasetEvents(name, weight is None, merged, weights, np.zeros(n, np.int64))


def test_events_of_pseudo_data_give_the_truth_in_every_bin() -> None:
    """All of the code that a run uses, from events to the template; and the weights of training."""
    rng = np.random.default_rng(8)
    compute = ANALYSIS.compute
    analysis = replace(ANALYSIS, compute=lambda c: {**compute(c), "p": c["p"]})
    jets = {"sr": np.outer(TRUTH, [1.0, 0.0, 0.0]), "ar": ANTI, "failing": FAILING}
    jets["passing"] = FACTORS * FAILING
    data = {name: table + LEPTONS.get(name, 0.0) for name, table in jets.items()}
    datasets = [dataset(rng, "Data", data, None), dataset(rng, "z", LEPTONS, WEIGHT)]
    datasets.append(dataset(rng, "s", {"sr": np.ones(3)}, WEIGHT))
    found = samples()
    chosen = find_estimate(found)
    assert chosen is not None
    sums = EstimateSums(*chosen, found, REGIONS)
    for events in datasets:
        sums.add(events, analysis.compute(events.columns))
    estimate = sums.measure()
    factors = [item["value"] for item in estimate.record["bins"]]
    sizes = [item["value"] * item["relative_uncertainty"] for item in estimate.record["bins"]]
    assert np.all(np.abs(factors - FACTORS) < 2.0 * np.array(sizes))
    regions = add_divided(REGIONS, found)
    plan = FillSettings(found, regions, ["x"], OBSERVABLES, {}, [])
    parts = [fill_dataset(events, analysis, plan, None)[0] for events in datasets]
    total = add_datasets(parts, OBSERVABLES, [*found, DATA], list(regions), [NOMINAL])["x"]
    filled = add_estimate(total, found, regions, [], estimate)
    values, variance = estimated(filled, estimate)
    assert np.all(np.abs(values - TRUTH) < 2.0 * np.sqrt(variance))
    # events weighted one by one add up to the same
    settings = CollectSettings("sr", ["x"], found, REGIONS)
    weighed = 0.0
    for events in datasets:
        quantities = analysis.compute(events.columns)
        from taipan.events.selection import region_masks

        masks = region_masks(quantities, REGIONS)
        for name, mask, weights in weigh_samples(
            events, quantities, masks, "sr", settings, estimate
        ):
            if name == "jets":
                weighed += float(weights[mask].sum())
    assert weighed == pytest.approx(values.sum(), rel=1e-9)
    # the parts are no regions of the tables
    assert {item.region for item in list_yields(filled)} == set(REGIONS)


def config(**keys: Any) -> Config:
    return Config.model_validate(
        {
            "analysis": "toy",
            "title": "toy",
            "data": ["Data"],
            "samples": {name: item.model_dump() for name, item in samples(**keys).items()},
            "regions": {name: item.model_dump() for name, item in REGIONS.items()},
            "observables": {"x": {"label": "x", "binning": EDGES}},
            "fit": {"observable": "x", "unblind": True, "free_normalisations": {"z_norm": "Z"}},
        }
    )


def test_each_bin_of_the_factor_has_a_parameter_in_the_fit() -> None:
    """One up by 1: the estimate is what it is with that factor larger by its uncertainty."""
    keys = {"subtraction": 0.1, "non_closure": 0.2}
    histogram, estimate = draw(np.random.default_rng(3), **keys)
    view = histogram.view(flow=True)
    view["value"][0, 0, 0, 1:4] = view["variance"][0, 0, 0, 1:4] = 5.0  # S
    view["value"][1, 0, 0, 1:4] = view["variance"][1, 0, 0, 1:4] = 50.0  # Z
    view["value"][3, 0, 0, 1:4] = view["variance"][3, 0, 0, 1:4] = 300.0
    workspace, record = build_workspace(histogram, config(**keys), "x", estimate.record)
    (channel,) = workspace["channels"]
    found = {item["name"]: item for item in channel["samples"]}
    assert set(found) == {"S", "Z", "jets", "Z_anti_isolated"}
    nominal = np.add(found["jets"]["data"], found["Z_anti_isolated"]["data"])
    np.testing.assert_allclose(nominal, estimated(histogram, estimate)[0])
    assert ("z_norm", "normfactor") in {
        (m["name"], m["type"]) for m in found["Z_anti_isolated"]["modifiers"]
    }

    def change(name: str, side: str) -> np.ndarray:
        total = np.zeros(3)
        for sample in ("jets", "Z_anti_isolated"):
            data = np.array(found[sample]["data"])
            (modifier,) = [m for m in found[sample]["modifiers"] if m["name"] == name]
            if modifier["type"] == "normsys":
                total += data * (modifier["data"][side] - 1.0)
            else:
                total += np.array(modifier["data"][f"{side}_data"]) - data
        return total

    places = list(histogram.axes[1])
    for b, item in enumerate(estimate.record["bins"]):
        place = places.index(f"ar[{b}]")
        excess = view["value"][3, place, 0, 1:4] - view["value"][1, place, 0, 1:4]
        expected = item["relative_uncertainty"] * item["value"] * excess
        np.testing.assert_allclose(change(f"fake_factor_{b}", "hi"), expected, rtol=1e-9)
        np.testing.assert_allclose(change(f"fake_factor_{b}", "lo"), -expected, rtol=1e-9)
    np.testing.assert_allclose(change("fake_factor_non_closure", "hi"), 0.2 * nominal)
    # simulation 10 % larger everywhere
    up = np.zeros(3)
    for b, item in enumerate(estimate.record["bins"]):
        place = places.index(f"ar[{b}]")
        data, simulated = view["value"][3, place, 0, 1:4], view["value"][1, place, 0, 1:4]
        up += item["value"] * item["subtraction"][0] * (data - 1.1 * simulated)
    np.testing.assert_allclose(change("fake_factor_subtraction", "hi"), up - nominal, rtol=1e-9)
    parameters = {*record["treatment"]["parameters"]}
    assert set(estimate.method.parameters) <= parameters
    assert (
        record["systematics"]["fake_factor_1"] == estimate.record["bins"][1]["relative_uncertainty"]
    )


def test_factor_of_a_bin_by_hand() -> None:
    """(30 − 10) / (90 − 10) = ¼; with 10 % more simulation 19 / 79."""
    chosen = method(binning={"p": [0.0, 9.0]}, subtraction=0.1)
    yields = {"passing[0]": (20.0, 32.0), "failing[0]": (80.0, 94.0)}
    record = chosen.measure(yields, {"passing[0]": 10.0, "failing[0]": 10.0})
    (item,) = record["bins"]
    assert item["value"] == record["value"] == 0.25
    assert item["relative_uncertainty"] == pytest.approx((32 / 400 + 94 / 6400) ** 0.5)
    assert item["subtraction"] == pytest.approx([4 * 19 / 79, 4 * 21 / 81])
    assert chosen.parameters == ("fake_factor_0", "fake_factor_subtraction")
    estimate = MeasuredEstimate("jets", chosen, record)
    (part,) = estimate.parts("sr")
    assert part.changes["fake_factor_subtraction"].simulated == pytest.approx(
        (1.1 * 4 * 19 / 79, 0.9 * 4 * 21 / 81)
    )


def test_bins_of_two_quantities_are_counted_as_their_cuts_say() -> None:
    chosen = method(binning={"p": [0.0, 1.0, 2.0], "n": [-0.5, 0.5, 1.5, 2.5]})
    divided = chosen.divide(REGIONS)
    assert len(divided) == 18
    assert divided["ar[0]"].cut == "(y > 0.5 and y < 1.5) and p < 1.0 and n < 0.5"
    assert divided["ar[4]"].cut == "(y > 0.5 and y < 1.5) and p >= 1.0 and n >= 0.5 and n < 1.5"
    assert chosen.describe(5) == "p 1 to 2, n 1.5 to 2.5"
    from taipan.columns.expressions import parse_expression

    rng = np.random.default_rng(1)
    values = {"p": rng.uniform(-1, 4, 500), "n": rng.integers(-1, 5, 500).astype(float)}
    values |= {"y": np.ones(500), "passes": np.ones(500, bool)}
    record = {"bins": [{"value": float(i)} for i in range(6)]}
    weights = chosen.weigh(record, "sr", values)
    for i in range(6):
        inside = parse_expression(divided[f"ar[{i}]"].cut).evaluate(values).astype(bool)
        np.testing.assert_array_equal(inside, weights == i)


def test_bin_without_failing_events_is_named() -> None:
    yields = {f"{name}[{b}]": (5.0, 5.0) for name in ("passing", "failing") for b in range(3)}
    with pytest.raises(TaipanError) as error:
        method().measure({**yields, "failing[1]": (0.0, 0.0), "passing[2]": (-1.0, 4.0)})
    assert str(error.value).splitlines() == [
        "binning: p 1 to 2: data minus simulation is 0 in region 'failing'; it must be positive "
        "(join bins)",
        "binning: p 2 to 3: data minus simulation is -1 in region 'passing'; it must be positive "
        "(join bins)",
    ]
    with pytest.raises(TaipanError, match=r"is 5 in region 'failing' \(-1 with subtraction"):
        method(subtraction=0.5).measure(yields, {"failing[0]": 12.0})


def test_simulation_that_is_subtracted_varies_in_the_bins_of_the_application_region() -> None:
    shift = make_systematic(kind="kinematic", shift="p", size=0.5, samples=["Z"], regions=["sr"])
    (variation, _) = template_variations({"scale": shift}, samples())
    assert variation.systematic.regions == ["sr", "ar[0]", "ar[1]", "ar[2]"]
    regions = add_divided(REGIONS, samples())
    assert list(varied_regions(regions, samples())) == ["sr", "ar[0]", "ar[1]", "ar[2]"]


def test_pseudo_data_draw_the_factor_of_each_bin() -> None:
    """+2σ of the second bin is (1 + r)²; −1σ of the subtraction has its own factors."""
    keys = {"subtraction": 0.1}
    _, estimate = draw(np.random.default_rng(3), **keys)
    truth = Truth(1.0, {}, {"fake_factor_1": 2.0, "fake_factor_subtraction": -1.0})
    found = draw_factors(estimate, "sr", truth)
    for b, (item, (of_data, of_simulated)) in enumerate(
        zip(estimate.record["bins"], found, strict=True)
    ):
        change = (1.0 + item["relative_uncertainty"]) ** 2 if b == 1 else 1.0
        down = item["subtraction"][1]
        assert of_data == pytest.approx(item["value"] * change * down)
        assert of_simulated == pytest.approx(0.9 * of_data)


def test_keys_of_fake_factors_are_checked() -> None:
    def problems(**keys: Any) -> list[str]:
        return list(method(**keys).check("samples.jets.estimate", config()))

    path = "samples.jets.estimate"
    assert problems() == []
    assert problems(denominator="passing")[0].startswith(f"{path}.denominator: 'passing' is also")
    assert problems(numerator="nowhere")[0].startswith(f"{path}.numerator: 'nowhere' is not a")
    assert problems(binning={"p": [0, 2, 1]}) == [
        f"{path}.binning.p[2]: 1 after 2; edges must increase"
    ]
    assert problems(binning={"p": [0]})[0].startswith(f"{path}.binning.p: 1 edge(s)")
