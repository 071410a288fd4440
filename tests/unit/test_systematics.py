"""Kinds of systematics: each number worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from taipan.systematics.base import WeighedEvents
from taipan.systematics.registry import KINDS, make_systematic
from tests.synthetic_templates import TRANSFER, make_config, make_histogram, settings

EXAMPLES: dict[str, dict[str, Any]] = {
    "rate": {"size": 0.1},
    "weight": {"weight": "pileup"},
    "kinematic": {"shift": "tau_pt", "size": 0.03},
    "sample": {"datasets": ["other"]},
    "control_residual": {"region": "w_control"},
    "counts": {"events": 100},
    "scale_weights": {},
    "pdf_weights": {},
    "shower_weights": {"vary": "isr"},
    "corrected_weight": {"correction": "muon_id"},
    "corrected_objects": {"correction": "jes"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_acts_in_one_way(kind: str) -> None:
    """On yields, on events, or on filled histograms; a kind without an example here fails."""
    item = make_systematic(kind=kind, samples=["W"], **EXAMPLES[kind])
    assert item.has_templates == (item.yield_factor(1.0) is None)
    assert item.fills_events == (item.measured_in is None)
    assert item.yield_factor(0.0) in (None, 1.0)
    assert item.model_dump()["kind"] == kind
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        make_systematic(kind=kind, samples=["W"], **EXAMPLES[kind], unknown=1)


def test_rate_of_a_part_changes_the_weights_of_these_events_alone() -> None:
    """Half of the events are genuine: the yield of the sample changes by half of the size."""
    item = make_systematic(kind="rate", size=0.1, select="genuine_2 == 1", samples=["TT"])
    assert (item.varied, item.yield_factor(1.0)) == (("up",), None)
    quantities = {"genuine_2": np.array([1.0, 0.0, 1.0, 0.0])}
    events = WeighedEvents("TTbar", np.array([1.0, 2.0, -1.0, 4.0]), {}, quantities)
    for pull, expected in ((1.0, [1.1, 2.0, -1.1, 4.0]), (-2.0, [0.81, 2.0, -0.81, 4.0])):
        found = item.weigh_events("tau_id_up", events, {}, pull)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    sided = {"up": 0.2, "down": -0.1, "select": "genuine_2 == 1", "samples": ["TT"]}
    asymmetric = make_systematic(kind="rate", **sided)
    assert asymmetric.varied == ("up", "down")
    found = asymmetric.weigh_events("tau_id_down", events, {}, -1.0)
    np.testing.assert_allclose(found, [0.9, 2.0, -0.9, 4.0], rtol=1e-12)
    whole = make_systematic(kind="rate", size=0.1, samples=["TT"])
    assert whole.weigh_events("tau_id_up", events, {}, 1.0) is None


def test_yield_of_counted_events_has_their_statistics() -> None:
    """A hundred events: ten per cent, and the inverse factor on the other side."""
    item = make_systematic(kind="counts", events=100, samples=["W"])
    found = [item.yield_factor(pull) for pull in (1.0, -1.0, 2.0)]
    assert found == pytest.approx([1.1, 1 / 1.1, 1.21])


def test_counted_events_are_a_parameter_of_the_fit() -> None:
    from taipan.likelihood import build_workspace

    systematics = settings()["systematics"]
    systematics["zll"] = {"kind": "counts", "events": 25, "samples": ["ZLL"]}
    config = make_config(systematics=systematics)
    workspace, record = build_workspace(make_histogram(), config, "nn_score", TRANSFER)
    (sample,) = [s for s in workspace["channels"][0]["samples"] if s["name"] == "ZLL"]
    (modifier,) = [m for m in sample["modifiers"] if m["name"] == "zll"]
    assert modifier["type"] == "normsys"
    assert modifier["data"] == pytest.approx({"hi": 1.2, "lo": 1 / 1.2})
    assert record["systematics"]["zll"] == pytest.approx(0.2)
