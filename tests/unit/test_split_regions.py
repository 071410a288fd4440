"""Regions divided into ranges: every event is in one part, and all that names them follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from taipan.columns.expressions import parse_expression
from taipan.config.load import load_config
from taipan.config.split_regions import expand_split_regions
from taipan.errors import TaipanError
from tests.project import ROOT
from tests.toy_configuration import problems

PARTS = [f"signal_m_vis{i}" for i in range(3)]
ONE = {
    "networks": {"plain": None, "decorrelated": None},
    "systematics": {"control_residual": None},
    "fit": {"parameters_of_interest": {"mu": None, "sigma_ztt": None}},
}


def split(**ranges: list[float]) -> Any:
    return load_config({**ONE, "regions": {"signal": {"split": ranges}}}, ROOT)


def test_parts_are_in_the_place_of_the_region() -> None:
    config = split(m_vis=[60, 80])
    fitted = [name for name, item in config.regions.items() if item.is_fitted]
    assert fitted == [*PARTS, "w_control"]
    assert config.regions["signal"].role == "estimate"  # trained in and drawn
    assert config.regions["signal_m_vis1"].label == "OS, $m_T$ < 30 GeV, 60 ≤ $m_{vis}$ < 80 GeV"
    assert config.regions["signal_m_vis2"].label.endswith(", 80 ≤ $m_{vis}$ GeV")
    assert config.systematics["w_extrapolation"].regions == PARTS
    pairs = config.samples["QCD"].estimate.regions
    assert [pairs[name] for name in PARTS] == [f"ss_signal_m_vis{i}" for i in range(3)]
    assert pairs["w_control"] == "ss_w_control"
    for name in PARTS:
        assert config.regions[f"ss_{name}"].role == "estimate"


def test_every_event_of_the_region_is_in_one_part() -> None:
    """Edges belong to the range above them; the ranges at the ends are open."""
    config = split(m_vis=[60, 80], njets=[1])
    rng = np.random.default_rng(1)
    n = 4000
    values = {
        "q_1": rng.choice([-1.0, 1.0], n),
        "q_2": rng.choice([-1.0, 1.0], n),
        "mt_1": rng.uniform(0.0, 120.0, n),
        "iso_1": rng.uniform(0.0, 0.3, n),
        "m_vis": rng.choice([-5.0, 59.9, 60.0, 79.9, 80.0, 1e4], n),
        "njets": rng.integers(0, 4, n).astype(float),
    }

    def inside(name: str) -> np.ndarray:
        return parse_expression(config.regions[name].cut).evaluate(values).astype(bool)

    for whole in ("signal", "ss_signal"):
        names = [f"{whole}_m_vis{i}_njets{j}" for i in range(3) for j in range(2)]
        counted = np.sum([inside(name) for name in names], axis=0)
        np.testing.assert_array_equal(counted, inside(whole).astype(int))
        assert counted.sum() > 100
    middle = inside("signal_m_vis1_njets0")
    assert set(values["m_vis"][middle]) == {60.0, 79.9}
    assert set(values["njets"][middle]) == {0.0}


def test_a_control_region_is_divided_into_control_regions() -> None:
    config = load_config({**ONE, "regions": {"w_control": {"split": {"njets": [1, 2]}}}}, ROOT)
    parts = [f"w_control_njets{i}" for i in range(3)]
    assert [name for name, item in config.regions.items() if item.role == "control"] == parts
    assert all(config.samples["QCD"].estimate.regions[name] == f"ss_{name}" for name in parts)


def test_what_leaves_a_region_out_leaves_out_its_parts() -> None:
    keys = {"regions": {"signal": {"split": {"m_vis": [60]}}, "high": {"cut": "m_vis > 900"}}}
    fit = {**ONE["fit"], "leave_out": ["signal"]}
    config = load_config({**ONE, **keys, "fit": fit}, ROOT)
    assert config.fit.leave_out == ["signal_m_vis0", "signal_m_vis1"]


@pytest.mark.parametrize("wrong", [5, [80, 60], [], ["a"], {"a": 1}, [True]])
def test_what_is_no_list_of_edges_is_left_to_the_checks(wrong: Any) -> None:
    content = {"regions": {"signal": {"cut": "m > 1", "split": {"m": wrong}}}}
    assert expand_split_regions(content)["regions"] == content["regions"]


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({}, "regions.sr.split: names no quantity"),
        ({"m": []}, "regions.sr.split.m: no edges; one makes two ranges"),
        ({"m": [2, 1]}, "regions.sr.split.m[1]: 1 after 2; edges must be strictly increasing"),
        ({"nothing": [1]}, "regions.sr.split.nothing: 'nothing' is not a quantity"),
    ],
)
def test_ranges_that_cannot_be_made_are_named(ranges: Any, message: str) -> None:
    lines = problems({"regions": {"sr": {"split": ranges}}})
    assert any(line.startswith(message) for line in lines), lines


def test_edges_that_are_no_numbers_are_named() -> None:
    with pytest.raises(TaipanError, match=r"regions.signal.split.m_vis.*'a' is not allowed"):
        split(m_vis=["a"])  # type: ignore[list-item]
