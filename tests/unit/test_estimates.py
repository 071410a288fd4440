"""Methods of estimating a sample from data: each number worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import hist
import numpy as np
import pytest

from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.estimates.abcd import Abcd
from taipan.estimates.base import Estimate
from taipan.estimates.fake_factor import FakeFactor
from taipan.estimates.registry import METHODS, MeasuredEstimate, find_sources, read_estimate
from taipan.labels import DATA
from taipan.templates.combine import add_estimate
from tests.made_up_estimates import same_sign

PLANES = {
    "a": {"source": "b", "numerator": "c", "denominator": "d"},
    "a2": {"source": "b2", "numerator": "c", "denominator": "d2"},
}
SAMPLES = {
    "S": Sample(role="signal", datasets=["s"]),
    "Z": Sample(datasets=["z"]),
    "jets": Sample.model_validate({"estimate": {"method": "abcd", "planes": PLANES}}),
}
CUTS = {"a": "x > 0 and y > 0", "b": "x > 0 and y < 0", "c": "x < 0 and y > 0"}
CUTS |= {"d": "x < 0 and y < -5", "a2": "x > 9 and y > 9", "b2": "x > 9 and y < 9"}
CUTS |= {"d2": "x < 0 and y < 0 and y > -5"}
REGIONS = {
    name: Region(cut=cut, role="signal" if name.startswith("a") else "estimate")
    for name, cut in CUTS.items()
}
YIELDS = {"c": (30.0, 36.0), "d": (20.0, 16.0), "d2": (10.0, 1.0)}


def measured() -> MeasuredEstimate:
    method = SAMPLES["jets"].estimate
    assert isinstance(method, Abcd)
    assert method.measured_in == ("c", "d", "d2")
    found = read_estimate(SAMPLES, method.measure(YIELDS))
    assert found is not None
    return found


def test_each_plane_has_the_ratio_of_its_corners() -> None:
    estimate = measured()
    assert [estimate.factor(region) for region in ("a", "a2")] == pytest.approx([1.5, 3.0])
    # (6/30)² + (4/20)² and (6/30)² + (1/10)²
    sizes = [estimate.relative_uncertainty(region) for region in ("a", "a2")]
    assert sizes == pytest.approx([0.08**0.5, 0.05**0.5])
    assert estimate.method.parameters == ("abcd_c_d", "abcd_c_d2")
    assert find_sources(SAMPLES) == {"a": "b", "a2": "b2"}
    assert estimate.weigh("a2", {"passes": np.ones(3, bool)}).tolist() == [3.0] * 3


def test_template_is_the_ratio_times_data_minus_simulation_of_b() -> None:
    histogram = hist.Hist(
        hist.axis.StrCategory([*SAMPLES, DATA], name="process"),
        hist.axis.StrCategory(list(REGIONS), name="region"),
        hist.axis.StrCategory(["nominal"], name="variation"),
        hist.axis.Variable([0.0, 1.0, 2.0], name="m"),
        storage=hist.storage.Weight(),
    )
    for process, region, values in (
        (DATA, "b", [10.0, 7.0]), ("Z", "b", [4.0, 1.0]), (DATA, "b2", [5.0, 6.0]),
        ("Z", "a", [50.0, 60.0]),
    ):  # fmt: skip
        for place, weight in zip((0.5, 1.5), values, strict=True):
            histogram.fill(process, region, "nominal", [place], weight=[weight])
    out = add_estimate(histogram, SAMPLES, REGIONS, [], measured())
    filled = [out[hist.loc("jets"), hist.loc(name), 0, :].values().tolist() for name in REGIONS]
    # REGIONS: a, b, c, d, a2, ...
    assert filled[0] == pytest.approx([9.0, 9.0])
    assert filled[4] == pytest.approx([15.0, 18.0])
    assert np.sum(filled) == pytest.approx(51.0)
    variances = out[hist.loc("jets"), hist.loc("a"), 0, :].variances()
    np.testing.assert_allclose(variances, 2.25 * np.array([116.0, 50.0]))


def problems(**changes: Any) -> list[str]:
    planes = {name: {**plane, **changes.get(name, {})} for name, plane in PLANES.items()}
    kept = {name: plane for name, plane in planes.items() if name not in changes.get("without", ())}
    method = Abcd.model_validate({"method": "abcd", "planes": kept})
    config: Any = SimpleNamespace(
        regions=REGIONS, features=[], training=SimpleNamespace(region="signal")
    )
    return list(method.check("samples.jets.estimate", config))


def test_planes_are_checked() -> None:
    assert problems() == []
    path = "samples.jets.estimate.planes"
    assert problems(a={"source": "bb"}) == [
        f"{path}.a: 'bb' is not a region; did you mean 'b'? ({', '.join(REGIONS)})"
    ]
    assert problems(a={"denominator": "dd"})[0].startswith(f"{path}.a.denominator: 'dd' is not a ")
    assert problems(a={"numerator": "b"}) == [
        f"{path}.a.numerator: 'b' is also another corner of the plane"
    ]
    assert problems(without=["a2"])[0].startswith(f"{path}.a2: missing; the estimate needs the ")
    assert problems(a={"source": "c"})[0].endswith("is also another corner of the plane")


def test_yield_that_is_not_positive_is_refused_by_region() -> None:
    method = SAMPLES["jets"].estimate
    assert method is not None
    with pytest.raises(TaipanError, match=r"data minus simulation is -1 in region 'd2'"):
        method.measure({**YIELDS, "d2": (-1.0, 1.0)})


@pytest.mark.parametrize("method", METHODS)
def test_every_method_says_what_it_is(method: type[Estimate]) -> None:
    fakes = {"regions": {"a": "b"}, "numerator": "c", "denominator": "d", "binning": {"x": [0, 1]}}
    keys = {
        "same_sign": same_sign(a="b"),
        "abcd": SAMPLES["jets"].estimate,
        "fake_factor": FakeFactor.model_validate({"method": "fake_factor", **fakes}),
    }
    found = [item for item in keys.values() if isinstance(item, method)]
    assert len(found) == 1, "give an example of the method"
    (item,) = found
    assert item is not None
    assert set(item.sources) & {"a"}
    assert len(item.parameters) >= 1
    assert item.ending.startswith("_")
    assert item.title


def test_without_an_estimate_nothing_is_needed() -> None:
    simulated = {name: SAMPLES[name] for name in ("S", "Z")}
    assert read_estimate(simulated, None) is None
    assert read_estimate(SAMPLES, None) is None
    assert find_sources(simulated) == {}
