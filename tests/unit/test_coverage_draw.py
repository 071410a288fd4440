"""Pseudo-data drawn from events: each systematic does there what it says."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from taipan.analysis import Shift
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.coverage.bins import FitBins, SourceData
from taipan.coverage.draw import Universe
from taipan.coverage.sample_events import SampleEvents
from taipan.coverage.statistics import SimulationStatistics
from taipan.coverage.truth import Truth
from taipan.labels import is_score
from taipan.systematics.registry import make_systematic
from tests.htautau import ANALYSIS
from tests.made_up_estimates import measured, same_sign

NUMBER = 4000
KEYS = ("ratio", "error")
EDGES = np.array([0.0, 1.0, 2.0, 3.0])
REGIONS = {
    "signal": Region(cut="os > 0", role="signal"),
    "control": Region(cut="os < -1", role="control"),
    "ss": Region(cut="os == 0"),
}
SAMPLES = {
    "S": Sample(role="signal", datasets=["s"]),
    "W": Sample(datasets=["w"]),
    "QCD": Sample(estimate=same_sign(signal="ss")),
}
SYSTEMATICS = {
    "rate": make_systematic(kind="rate", size=0.1, samples=["W"], regions=["signal"]),
    "shape": make_systematic(kind="weight", weight="tilt", samples=["W"], regions=["signal"]),
    "qcd": make_systematic(kind="weight", weight="half", samples=["QCD"]),
    "few": make_systematic(kind="rate", size=0.2, select="x > 1.25", samples=["W"]),
    "all": make_systematic(kind="rate", size=0.3, samples=["QCD"], regions=["signal"]),
    "scale": make_systematic(kind="kinematic", shift="x", size=0.1, symmetrize=True, samples=["W"]),
    "smear": make_systematic(
        kind="kinematic", shift="wide", size=0.2, one_sided=True, samples=["S"]
    ),
}
DATA = np.array([40.0, 30.0, 20.0])
ESTIMATE = measured(SAMPLES, 1.5, 0.2)


def compute(columns: Any) -> dict[str, Any]:
    return {**columns, "passes": np.ones(len(columns["x"]), dtype=bool)}


def shift(columns: Any, size: float) -> dict[str, Any]:
    return {**columns, "x": columns["x"] * (1.0 + size)}


@dataclass(frozen=True)
class Simulated:
    """Events of all samples, and what makes pseudo-data of them."""

    universe: Universe
    events: list[SampleEvents]

    def expected(self, *arguments: Any) -> Any:
        return self.universe.expected(self.events, *arguments)


@pytest.fixture(scope="module")
def universe() -> Simulated:
    generator = np.random.default_rng(5)
    parts = []
    for sample in ("S", "W"):
        x = generator.uniform(0.0, 2.5, NUMBER)
        weights = generator.uniform(0.001, 0.003, NUMBER)
        alternatives = {"tilt": weights * (0.5 + 0.4 * x), "half": 0.5 * weights}
        columns = {"x": x, "os": generator.choice([1.0, 0.0, -2.0], NUMBER)}
        folds = np.zeros(NUMBER, dtype=np.int64)
        parts.append(SampleEvents(sample, columns, weights, alternatives, folds))
    config: Any = SimpleNamespace(samples=SAMPLES, regions=REGIONS, systematics=SYSTEMATICS)
    shifts = {"x": Shift(shift, None, "scale"), "wide": Shift(shift, None, "width", power=0.5)}
    analysis: Any = SimpleNamespace(compute=compute, shifts=shifts, is_late=is_score)
    binning = FitBins("x", {"signal": EDGES, "control": EDGES[[0, -1]]}, frozenset(["control"]))
    return Simulated(Universe(analysis, config, binning, None), parts)


def expected(universe: Simulated, mu: float = 1.0, transfer: float = 0.0, **pulls: float) -> Any:
    truth = Truth(mu, {**dict.fromkeys(SYSTEMATICS, 0.0), **pulls}, {"qcd_os_ss": transfer})
    source_data = SourceData(
        {"signal": DATA[None]}, {"qcd": {"signal": 0.5 * DATA[None]}}, ESTIMATE
    )
    return universe.expected(truth, source_data)


def filled(universe: Simulated, sample: int, place: float, factor: float = 1.0) -> Any:
    part = universe.events[sample]
    chosen = part.columns["os"] == place
    return np.histogram(part.columns["x"][chosen] * factor, EDGES, weights=part.weights[chosen])[0]


def test_nominal_is_simulation_and_what_same_sign_data_leave(universe: Simulated) -> None:
    subtracted = filled(universe, 0, 0.0) + filled(universe, 1, 0.0)
    simulated = 3.0 * filled(universe, 0, 1.0) + filled(universe, 1, 1.0)
    found = expected(universe, mu=3.0)["signal"]
    # the signal among the same-sign events grows with it
    tripled = subtracted + 2.0 * filled(universe, 0, 0.0)
    np.testing.assert_allclose(found, simulated + 1.5 * (DATA - tripled))


def test_transfer_factor_scales_the_estimate_alone(universe: Simulated) -> None:
    change = expected(universe, transfer=1.0)["signal"] - expected(universe)["signal"]
    subtracted = filled(universe, 0, 0.0) + filled(universe, 1, 0.0)
    np.testing.assert_allclose(change, 0.2 * 1.5 * (DATA - subtracted))


def test_rate_acts_in_its_region_and_the_partner(universe: Simulated) -> None:
    change = {n: y - expected(universe)[n] for n, y in expected(universe, rate=1.0).items()}
    wanted = 0.1 * (filled(universe, 1, 1.0) - 1.5 * filled(universe, 1, 0.0))
    np.testing.assert_allclose(change["signal"], wanted)
    np.testing.assert_allclose(change["control"], 0.0, atol=1e-12)


@pytest.mark.parametrize("pull", [1.0, -0.5])
def test_rate_of_some_events_scales_those(universe: Simulated, pull: float) -> None:
    """Half of the events of W, also where they are subtracted."""
    change = expected(universe, few=pull)["signal"] - expected(universe)["signal"]
    part, wanted = universe.events[1], np.zeros(len(EDGES) - 1)
    for place, factor in ((1.0, 1.0), (0.0, -1.5)):
        chosen = (part.columns["os"] == place) & (part.columns["x"] > 1.25)
        found = np.histogram(part.columns["x"][chosen], EDGES, weights=part.weights[chosen])[0]
        wanted += factor * found
    np.testing.assert_allclose(change, (1.2**pull if pull > 0 else 0.8**-pull) * wanted - wanted)


def test_rate_of_an_estimate_scales_what_is_left_after_the_subtraction(
    universe: Simulated,
) -> None:
    change = expected(universe, all=1.0)["signal"] - expected(universe)["signal"]
    subtracted = filled(universe, 0, 0.0) + filled(universe, 1, 0.0)
    np.testing.assert_allclose(change, 0.3 * 1.5 * (DATA - subtracted))


def test_weight_is_linear_and_stays_in_its_region(universe: Simulated) -> None:
    nominal = expected(universe)
    one, two = (expected(universe, shape=pull) for pull in (1.0, -2.0))
    change = one["signal"] - nominal["signal"]
    part = universe.events[1]
    for place, factor in ((1.0, 1.0), (0.0, -1.5)):
        chosen = part.columns["os"] == place
        moved = (part.alternatives["tilt"] - part.weights)[chosen]
        change = change - factor * np.histogram(part.columns["x"][chosen], EDGES, weights=moved)[0]
    np.testing.assert_allclose(change, 0.0, atol=1e-12)
    np.testing.assert_allclose(
        two["signal"] - nominal["signal"], -2.0 * (one["signal"] - nominal["signal"])
    )
    np.testing.assert_allclose(one["control"], nominal["control"])


def test_data_driven_weight_acts_on_data_and_on_what_is_subtracted(universe: Simulated) -> None:
    change = expected(universe, qcd=1.0)["signal"] - expected(universe)["signal"]
    subtracted = filled(universe, 0, 0.0) + filled(universe, 1, 0.0)
    np.testing.assert_allclose(change, -0.5 * 1.5 * (DATA - subtracted))


def test_shift_moves_events_between_bins(universe: Simulated) -> None:
    change = expected(universe, scale=2.0)["signal"] - expected(universe)["signal"]
    moved = [filled(universe, 1, place, 1.2) - filled(universe, 1, place) for place in (1.0, 0.0)]
    np.testing.assert_allclose(change, moved[0] - 1.5 * moved[1])
    assert np.abs(change).max() > 0.1


def test_one_sided_shift_below_zero_is_the_mirror_image(universe: Simulated) -> None:
    nominal = expected(universe)["signal"]
    up, down = (expected(universe, smear=pull)["signal"] - nominal for pull in (1.5, -1.5))
    assert np.abs(up).max() > 0.1
    np.testing.assert_allclose(down, -up)


def test_resolution_grows_with_the_root_of_the_pull(universe: Simulated) -> None:
    """A width that is added in quadrature: half of it at a quarter of a standard deviation."""
    change = expected(universe, smear=0.25)["signal"] - expected(universe)["signal"]
    moved = [filled(universe, 0, place, 1.1) - filled(universe, 0, place) for place in (1.0, 0.0)]
    np.testing.assert_allclose(change, moved[0] - 1.5 * moved[1])


def test_effect_of_the_jet_resolution_is_linear_in_the_pull() -> None:
    """As the fit has it, which mirrors and scales the template of one standard deviation."""
    n = 400_000
    generator = np.random.default_rng(3)
    jets = {
        "Jet_pt": 15.0 * generator.uniform(size=(n, 1)) ** (-1.0 / 4.0),
        "Jet_eta": np.zeros((n, 1)),
        "Jet_phi": np.zeros((n, 1)),
        "Jet_mass": np.ones((n, 1)),
        "event_hash": generator.integers(0, 2**63, n),
        "MET_pt": np.ones(n),
        "MET_phi": np.zeros(n),
        **dict.fromkeys(("Muon_eta", "Muon_phi", "Tau_eta", "Tau_phi"), np.full((n, 1), np.nan)),
    }
    resolution = ANALYSIS.shifts["jet_resolution"]

    def above(pull: float) -> int:
        smeared = resolution.function(jets, resolution.size_at(pull, 0.08))
        return int((smeared["Jet_pt"] > 30.0).sum())

    nominal = above(0.0)
    slopes = [(above(pull) - nominal) / pull / nominal for pull in (0.5, 1.0, 2.0, 3.0)]
    # a width linear in the pull has slopes 1 : 2 : 4 : 6
    np.testing.assert_allclose(slopes, slopes[1], rtol=0.2)
    assert slopes[1] == pytest.approx(6 * 0.08**2, rel=0.2)  # of a spectrum p^-5, to first order


def draw_contents(universe: Simulated, source_data: SourceData, number: int) -> Any:
    """Content of the bins over that of the templates, and its error, of many simulations."""
    statistics = SimulationStatistics(universe.universe, universe.events, source_data)
    rng = np.random.default_rng(8)
    drawn = [statistics.draw(rng) for _ in range(number)]
    names = {name: None for item in drawn for name in item}
    return {
        name: tuple(np.array([getattr(item[name], key) for item in drawn]) for key in KEYS)
        for name in names
    }


def test_templates_of_other_events_have_the_spread_of_the_weights(universe: Simulated) -> None:
    source_data = SourceData({"signal": DATA[None]}, {"qcd": {"signal": DATA[None]}}, ESTIMATE)
    number = 600
    found = draw_contents(universe, source_data, number)
    content = expected(universe)["signal"] - filled(universe, 0, 1.0)  # the signal has its own
    variance = 1.5**2 * DATA
    for i, part in enumerate(universe.events):
        for place, factor in ((1.0, 1.0), (0.0, 1.5)):
            if (i, place) == (0, 1.0):
                continue
            chosen = part.columns["os"] == place
            variance = (
                variance
                + factor**2
                * np.histogram(part.columns["x"][chosen], EDGES, weights=part.weights[chosen] ** 2)[
                    0
                ]
            )
    ratio, error = found["staterror_signal"]
    spread = np.sqrt(variance) / content
    assert np.all(np.abs(ratio.mean(axis=0) - 1.0) < 4.0 * spread / number**0.5)
    # the spread of 600 numbers is known to 2.9 %
    np.testing.assert_allclose(ratio.std(axis=0), spread, rtol=0.12)
    np.testing.assert_allclose((error**2).mean(axis=0), 1.0, atol=0.05)


def test_more_events_in_a_bin_have_a_larger_error(universe: Simulated) -> None:
    source_data = SourceData({"signal": DATA[None]}, {"qcd": {"signal": DATA[None]}}, ESTIMATE)
    ratio, error = draw_contents(universe, source_data, 400)["staterror_control"]
    chosen = universe.events[1].columns["os"] == -2.0
    weights = universe.events[1].weights[chosen]
    spread = float((weights**2).sum()) ** 0.5 / float(weights.sum())
    assert ratio.std() == pytest.approx(spread, rel=0.15)
    # of equal weights the square of the error would be the content
    assert np.corrcoef(ratio[:, 0], error[:, 0] ** 2)[0, 1] > 0.9


def test_offsets_follow_strengths_and_rates(universe: Simulated) -> None:
    """Yields of other simulated events take the place of those of the same without a shift."""
    source_data = SourceData({"signal": DATA[None]}, {"qcd": {"signal": DATA[None]}}, ESTIMATE)
    nominal = universe.universe.nominal_yields(universe.events)
    half = [part.take(np.arange(NUMBER // 2)) for part in universe.events]
    offsets = {
        cell: yields - universe.universe.nominal_yields(half)[cell]
        for cell, yields in nominal.items()
    }
    truth = Truth(2.5, dict.fromkeys(SYSTEMATICS, 0.0), {})
    whole = universe.universe.expected(universe.events, truth, source_data)
    found = universe.universe.expected(half, truth, source_data, offsets)
    for region, yields in whole.items():
        np.testing.assert_allclose(found[region], yields, rtol=1e-12)


@pytest.mark.parametrize(
    ("pull", "symmetric", "asymmetric"), [(2.0, 1.21, 1.44), (-2.0, 0.81, 0.49), (0.0, 1.0, 1.0)]
)
def test_true_rate_is_a_power_of_the_factor_on_its_side(
    pull: float, symmetric: float, asymmetric: float
) -> None:
    one = make_systematic(kind="rate", size=0.1, samples=["W"])
    other = make_systematic(kind="rate", up=0.2, down=-0.3, samples=["W"])
    assert one.yield_factor(pull) == pytest.approx(symmetric)
    assert other.yield_factor(pull) == pytest.approx(asymmetric)
