"""Events as the fit sees them, worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taipan.analysis import Shift
from taipan.atomic import write_json
from taipan.estimates.registry import read_estimate
from taipan.events.load import DatasetEvents
from taipan.events.weights import EventWeights
from taipan.nn.sensitivity.collect import collect_linear_events
from taipan.nn.sensitivity.linear import LinearEvents
from tests.toy_configuration import ANALYSIS, make_config

FACTOR = 1.5
LUMI = 0.5 * math.log(1.026 / 0.974)


def scale(columns: dict[str, np.ndarray], size: float) -> dict[str, np.ndarray]:
    """Every transverse mass grows, that of missing energy 0 is the same object."""
    return {**columns, "mt_1": columns["mt_1"] * (1.0 + size)}


def compute(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**columns, "passes": np.ones(len(columns["mt_1"]), dtype=bool)}


SHIFTED = replace(
    ANALYSIS,
    shifts={"tau": Shift(scale, "tau_pt", ""), "met": Shift(lambda c, size: c, None, "")},
    compute=compute,
)


def dataset(
    name: str, mt_1: list[float], product: list[int], weights: list[float] | None
) -> DatasetEvents:
    n = len(mt_1)
    columns = {
        "event_hash": np.arange(n, dtype=np.uint64),
        "mt_1": np.array(mt_1),
        "q_1": np.ones(n, int),
        "q_2": np.array(product),
        "gen_match": np.ones(n, int),
        "pt_1": np.arange(n, dtype=float),
        "m": np.full(n, 50.0),
    }
    found = None
    if weights is not None:
        up = 1.1 * np.array(weights)
        found = EventWeights(np.array(weights), {"pileup": up})
    return DatasetEvents(name, weights is None, columns, found, np.arange(n) % 5)


@pytest.fixture
def events(tmp_path: Path) -> LinearEvents:
    """ZTT: one event leaves with TES up, one comes with TES down, one stays; one of same sign."""
    config = make_config({"features": ["mt_1", "pt_1"]})
    kept = {name: config.systematics[name] for name in ("lumi", "tes", "pu")}
    config = config.model_copy(update={"systematics": kept})
    write_json(tmp_path / "shapes.json", {})
    estimate = read_estimate(config.samples, {"value": FACTOR, "relative_uncertainty": 0.1})
    datasets = [
        dataset("H", [5.0], [-1], [0.5]),
        dataset(
            "Z", [29.5, 30.5, 10.0, 10.0, 80.0], [-1, -1, -1, 1, -1], [2.0, 3.0, 4.0, 1.0, 7.0]
        ),
        dataset("Data", [10.0, 80.0], [1, 1], None),
    ]
    return collect_linear_events(datasets, SHIFTED, config, estimate, str(tmp_path / "shapes.json"))


def total(events: LinearEvents, name: str) -> float:
    number = events.parameters.index(name)
    moved = events.moved_slopes[events.moved_by == number].sum()
    return float(events.slopes[:, number].sum() + moved)


def test_yields_are_those_of_the_region(events: LinearEvents) -> None:
    assert sorted(events.yields) == pytest.approx([-1.5, 0.5, 1.5, 2.0, 4.0])
    assert events.yields[events.is_signal].tolist() == [0.5]
    assert events.parameters[0] == "mu"
    free = {n for n, p in zip(events.parameters, events.prior, strict=True) if p == 0.0}
    assert free == {"mu", "z_norm"}


def test_slopes_of_normalisations_act_on_what_is_subtracted_too(events: LinearEvents) -> None:
    assert total(events, "mu") == pytest.approx(0.5)
    assert total(events, "z_norm") == pytest.approx(2.0 + 4.0 - 1.5)
    assert total(events, "lumi") == pytest.approx(LUMI * (0.5 + 2.0 + 4.0 - 1.5))


def test_uncertainty_of_the_factor_acts_on_data_and_simulation(events: LinearEvents) -> None:
    (name,) = set(events.parameters) - {"mu", "z_norm", "lumi", "tes", "pu"}
    number = events.parameters.index(name)
    assert sorted(events.slopes[:, number]) == pytest.approx([-0.15, 0.0, 0.0, 0.0, 0.15])


def test_shifts_are_half_the_difference_of_up_and_down_with_migration(
    events: LinearEvents,
) -> None:
    """Up 4, down 2 + 3 + 4 in the region; the one subtracted stays: (4 - 9) / 2."""
    assert total(events, "tes") == pytest.approx(-2.5)
    number = events.parameters.index("tes")
    chosen = events.moved_by == number
    places = zip(
        events.shifted.features[chosen, 0].tolist(),
        events.moved_slopes[chosen].tolist(),
        strict=True,
    )
    expected = [(9.7, -2.0), (9.7, 0.75), (10.3, -0.75), (10.3, 2.0), (28.615, -1.0)]
    expected.append((29.585, -1.5))
    found = sorted((round(mt_1, 3), slope) for mt_1, slope in places)
    np.testing.assert_allclose(found, expected)


def test_weights_are_analytic(events: LinearEvents) -> None:
    """A tenth more of ZTT and of what is subtracted; one side, so not half of it."""
    assert total(events, "pu") == pytest.approx(0.1 * (2.0 + 4.0 - 1.5))


def test_control_regions_are_one_bin_each(events: LinearEvents) -> None:
    """ZTT of 7, and data of same sign times the factor; TES moves nothing across 70."""
    assert events.control_yields.tolist() == pytest.approx([7.0 + 1.5])
    number = events.parameters.index("z_norm")
    assert events.control_slopes[0, number] == pytest.approx(7.0)
    tes = events.control_slopes[0, events.parameters.index("tes")]
    assert tes == pytest.approx(0.0, abs=1e-12)
