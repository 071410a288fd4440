"""Estimates of one sample beside each other: differences and their uncertainty by hand."""

from __future__ import annotations

from typing import Any

import hist
import pytest

from taipan.config.model import Config
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.estimates.registry import (
    MeasuredEstimate,
    add_divided,
    list_cross_checks,
    read_cross_checks,
    read_estimate,
)
from taipan.labels import DATA, NOMINAL
from taipan.likelihood.cross_checks import compare_estimates
from taipan.plotting.estimates import estimate_figure, estimate_numbers
from taipan.summary.cross_checks import tabulate_cross_checks
from taipan.summary.text import format_measurement, format_table

SAME_SIGN = {"method": "same_sign", "regions": {"sr": "ss"}, "numerator": "n", "denominator": "d"}
FAKES = {
    "method": "fake_factor",
    "regions": {"sr": "ar"},
    "numerator": "p",
    "denominator": "f",
    "binning": {"x": [0.0, 1.0, 2.0]},
    "non_closure": 0.5,
}
NAMES = ("sr", "ss", "ar", "n", "d", "p", "f")


def config(**changes: Any) -> Config:
    sample = {"estimate": SAME_SIGN, "cross_checks": {"fakes": FAKES}, **changes}
    return Config.model_validate(
        {
            "analysis": "toy",
            "title": "toy",
            "data": ["Data"],
            "samples": {
                "S": {"role": "signal", "datasets": ["s"]},
                "Z": {"datasets": ["z"]},
                "jets": sample,
            },
            "regions": {
                name: {"cut": f"y > {i} and y < {i + 1}", **({"role": "signal"} if not i else {})}
                for i, name in enumerate(NAMES)
            },
            "observables": {"m": {"label": "m", "unit": "GeV", "binning": [0.0, 1.0, 2.0]}},
            "fit": {"observable": "m"},
        }
    )


RECORD = {
    "value": 2.0,
    "stat": 0.2,
    "relative_uncertainty": 0.1,
    "cross_checks": {
        "fakes": {
            "value": 0.4,
            "bins": [
                {"value": 0.5, "relative_uncertainty": 0.2, "denominator": [10.0, 1.0]},
                {"value": 0.3, "relative_uncertainty": 0.1, "denominator": [10.0, 1.0]},
            ],
        }
    },
}


def templates(settings: Config) -> hist.Hist:
    """Data 20 and 10, simulation 4 ± 2 and 0 with equal charges; 60 and 0, 0 and 50 in two bins."""
    regions = list(add_divided(settings.regions, settings.samples))
    histogram = hist.Hist(
        hist.axis.StrCategory(["S", "Z", "jets", DATA], name="process"),
        hist.axis.StrCategory(regions, name="region"),
        hist.axis.StrCategory([NOMINAL], name="variation"),
        hist.axis.Variable([0.0, 1.0, 2.0], name="m"),
        storage=hist.storage.Weight(),
    )
    view = histogram.view(flow=True)
    for process, region, values in (
        (3, "ss", [20.0, 10.0]), (1, "ss", [4.0, 0.0]), (3, "ar[0]", [60.0, 0.0]),
        (3, "ar[1]", [0.0, 50.0]),
    ):  # fmt: skip
        place = regions.index(region)
        view["value"][process, place, 0, 1:3] = values
        view["variance"][process, place, 0, 1:3] = values
    return histogram


def compared() -> dict[str, Any]:
    settings = config()
    estimate = read_estimate(settings.samples, RECORD)
    others = read_cross_checks(settings.samples, RECORD)
    assert estimate is not None
    return compare_estimates({"m": templates(settings)}, settings, estimate, others)


def test_difference_has_the_uncertainty_of_both_with_their_correlations() -> None:
    region = compared()["regions"]["sr"]
    used, fakes = region["used"], region["others"]["fakes"]
    assert used["values"] == [32.0, 20.0]
    # 2² × (20 + 4) + 3.2², 2² × 10 + 2²; the factor moves both bins together
    assert used["sigma"] == pytest.approx([(96 + 3.2**2) ** 0.5, (40 + 2.0**2) ** 0.5])
    assert used["total"] == pytest.approx([52.0, (136 + 5.2**2) ** 0.5])
    assert fakes["values"] == [30.0, 15.0]
    # ½² × 60 + (0.2 × 30)² + (½ × 30)², 0.3² × 50 + 1.5² + 7.5²; the closure moves both
    assert fakes["sigma"] == pytest.approx([(15 + 36 + 225) ** 0.5, (4.5 + 2.25 + 56.25) ** 0.5])
    total = (15 + 36 + 4.5 + 2.25 + 22.5**2) ** 0.5
    assert fakes["total"] == pytest.approx([45.0, total])
    difference = fakes["difference"]
    assert difference["total"] == pytest.approx([-7.0, (136 + 5.2**2 + total**2) ** 0.5])
    a, b = 96 + 3.2**2 + 15 + 36 + 225, 40 + 4 + 4.5 + 2.25 + 56.25
    c = 3.2 * 2.0 + 15.0 * 7.5
    chi2 = (b * 2.0**2 - 2 * c * 2.0 * 5.0 + a * 5.0**2) / (a * b - c**2)
    assert difference["chi2"] == pytest.approx(chi2)
    assert difference["bins"] == 2
    assert fakes["shared"] == []


def test_differences_are_in_the_summary_and_drawn() -> None:
    settings, content = config(), compared()
    text = tabulate_cross_checks(content, format_measurement, format_table)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert rows[2][:3] == ["sr", "used", "52 ± 13"]
    assert rows[3][:4] == ["sr", "fakes", "45 ± 24", "-7 ± 27"]
    assert rows[3][5] == "–"
    header = {"label": "Toy", "luminosity": 1.0, "energy": None}
    numbers = estimate_numbers(
        content, settings.samples, settings.regions, settings.observables, header
    )
    figure = estimate_figure(numbers)
    assert figure.axes[0].get_xlabel() == "m (GeV)"
    assert len(figure.axes[0].containers) == 2


def test_regions_that_both_are_made_of_are_named() -> None:
    settings = config(cross_checks={"fakes": {**FAKES, "numerator": "n"}})
    estimate = read_estimate(settings.samples, RECORD)
    others = read_cross_checks(settings.samples, RECORD)
    assert estimate is not None
    found = compare_estimates({"m": templates(settings)}, settings, estimate, others)
    assert found["regions"]["sr"]["others"]["fakes"]["shared"] == ["n"]


def test_cross_checks_belong_to_an_estimate_and_divide_a_region_once() -> None:
    assert set(list_cross_checks(config().samples)) == {"fakes"}
    with pytest.raises(ValueError, match="`cross_checks` are other estimates of a sample with"):
        Sample.model_validate({"datasets": ["z"], "cross_checks": {"fakes": FAKES}})
    others = {"fakes": FAKES, "more": {**FAKES, "binning": {"x": [0.0, 0.5, 2.0]}}}
    settings = config(cross_checks=others)
    with pytest.raises(TaipanError, match="two estimates divide the region 'ar' into other bins"):
        add_divided(settings.regions, settings.samples)


def test_estimate_that_is_used_has_no_part_of_a_cross_check() -> None:
    settings = config()
    estimate = read_estimate(settings.samples, RECORD)
    assert isinstance(estimate, MeasuredEstimate)
    assert [part.place for part in estimate.parts("sr")] == ["ss"]
