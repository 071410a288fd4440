"""The model at another luminosity, number by number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from taipan.likelihood.projection import _shrink, project
from tests.synthetic_templates import SAMPLES, TRANSFER, make_config, make_histogram


def numbers(factor: float) -> dict[str, Any]:
    """The W sample and the estimate's factor in the control region, which is one bin."""
    found = project(make_histogram(), make_config(), "nn_score", TRANSFER, factor)
    (channel,) = (c for c in found["workspace"]["channels"] if c["name"] == "w_control")
    (sample,) = (s for s in channel["samples"] if s["name"] == "W")
    (driven,) = (s for s in channel["samples"] if s["name"] == "QCD")
    (error,) = (m["data"] for m in sample["modifiers"] if m["type"] == "staterror")
    (transfer,) = (m["data"] for m in driven["modifiers"] if m["name"] == "qcd_os_ss")
    (data,) = (o["data"] for o in found["workspace"]["observations"] if o["name"] == "w_control")
    return {"yield": sample["data"], "error": error, "transfer": transfer, "data": data}


def test_every_uncertainty_of_an_estimate_shrinks() -> None:
    record = {"bins": [{"value": 2.0, "relative_uncertainty": 0.2}], "value": 2.0}
    assert _shrink(record, 2.0) == {
        "bins": [{"value": 2.0, "relative_uncertainty": 0.1}],
        "value": 2.0,
    }


@pytest.mark.parametrize("factor", [1.0, 4.0, 0.25])
def test_errors_of_the_simulation_grow_with_the_root_of_the_luminosity(factor: float) -> None:
    """Σw and Σw² are both multiplied: so many times the events, of the same weight each."""
    found, here = numbers(factor), numbers(1.0)
    total, per_unit = SAMPLES["W"][1], SAMPLES["W"][3]
    assert found["yield"] == pytest.approx([factor * total])
    assert found["error"] == pytest.approx([np.sqrt(factor * total / per_unit)])
    assert found["data"] == pytest.approx([factor * here["data"][0]])
    size = TRANSFER["relative_uncertainty"] / np.sqrt(factor)
    assert found["transfer"] == pytest.approx({"hi": 1.0 + size, "lo": 1.0 - size})
