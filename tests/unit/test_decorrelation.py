"""The judge of the score: fresh adversary, tail ratios, tests of shape, distance correlation."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from taipan.config.sections.decorrelation import DecorrelationCheck
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.decorrelation import (
    CheckSettings,
    ControlScores,
    EventSettings,
    compare_scores,
    distance_correlation,
    fresh_adversary,
    judge_decorrelation,
    measure_dependence,
    tail_ratio,
)
from taipan.errors import TaipanError
from taipan.events.load import DatasetEvents
from taipan.events.weights import EventWeights
from taipan.labels import is_score
from taipan.plotting.decorrelation import decorrelation_numbers, region_scores_figure, tail_figure
from tests.made_up_estimates import measured, same_sign

EDGES = np.linspace(0.0, 1.0, 21)
# Toy of the adversarial training: two normal features, x1 (distance 1.82 between the classes)
# shifted by 0.6 in data, x2 (1.148) not; the score is the optimal one of the simulation.
DISTANCES = np.array([1.82, 1.148])
SHIFT = 0.6


def toy_score(n: int, rng: np.random.Generator, *, signal: bool, shift: float = 0.0) -> np.ndarray:
    """Score of toy events."""
    mean = DISTANCES * (0.5 if signal else -0.5) + np.array([shift, 0.0])
    return 1.0 / (1.0 + np.exp(-rng.normal(mean, 1.0, (n, 2)) @ DISTANCES))


def toy_control(n: int, shift: float, seed: int = 1) -> ControlScores:
    """Background of the toy in data and simulation."""
    rng = np.random.default_rng(seed)
    scores = [toy_score(n, rng, signal=False, shift=item) for item in (shift, 0.0)]
    return ControlScores(np.concatenate(scores), np.repeat([True, False], n), np.ones(2 * n))


def signed_control(seed: int, shift: float = 0.0) -> ControlScores:
    """Data with a contamination that is subtracted (factor 0.8), simulation of both signs."""
    rng = np.random.default_rng(seed)
    data, simulation = (
        toy_score(rng.poisson(3000), rng, signal=False, shift=item) for item in (shift, 0.0)
    )
    inside, estimated = (rng.beta(2, 3, rng.poisson(n)) for n in (1500, 1500 / 0.8))
    weights = [
        np.ones(len(data) + len(inside)),
        np.full(len(estimated), -0.8),
        np.where(rng.random(len(simulation)) < 0.2, -0.4, 0.4),
    ]
    is_data = np.repeat([True, False], [len(weights[0]) + len(estimated), len(simulation)])
    scores = np.concatenate([data, inside, estimated, simulation])
    return ControlScores(scores, is_data, np.concatenate(weights))


def judge(sample: ControlScores, seed: int = 0) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    found = fresh_adversary(sample.scores, sample.is_data, sample.weights, 5, rng)
    return found.auc, found.sigma


def test_toy_is_seen_by_a_fresh_adversary_and_in_the_tail() -> None:
    """Expected from normal distributions: AUC 0.640 and 3.18 times as many data above 50 %."""
    sample = toy_control(50_000, SHIFT)
    shift = SHIFT * DISTANCES[0] / np.linalg.norm(DISTANCES)
    auc, sigma = judge(sample)
    assert sigma < 0.003
    assert auc == pytest.approx(stats.norm.cdf(shift / np.sqrt(2.0)), abs=3 * sigma)
    assert auc == pytest.approx(0.640, abs=0.01)
    signal = toy_score(200_000, np.random.default_rng(2), signal=True)
    found = tail_ratio(sample, float(np.median(signal)))
    distance = float(np.linalg.norm(DISTANCES))
    expected = stats.norm.sf(distance - shift) / stats.norm.sf(distance)
    assert expected == pytest.approx(3.18, abs=0.01)
    assert found.ratio is not None
    assert found.sigma is not None
    assert found.ratio == pytest.approx(expected, abs=3 * found.sigma)
    assert found.sigma < 0.15


def test_identical_domains_are_alike_within_the_errors() -> None:
    """The naive error of the folds' mean is √2 too small: pulls had a width of 1.41."""
    pulls, ratios = [], []
    for seed in range(50):
        sample = toy_control(1500, 0.0, seed)
        auc, sigma = judge(sample, seed)
        pulls.append((auc - 0.5) / sigma)
        tail = tail_ratio(sample, float(np.quantile(sample.scores, 0.97)))
        assert tail.ratio is not None
        assert tail.sigma is not None
        ratios.append((tail.ratio - 1.0) / tail.sigma)
    for found in (np.array(pulls), np.array(ratios)):
        assert np.mean(np.abs(found) < 2.0) >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / 50)
        assert np.mean(np.abs(found) < 2.5) >= 0.95
        assert 0.75 < found.std() < 1.25
        assert abs(found.mean()) < 3 / np.sqrt(50)


def test_a_subtracted_contamination_does_not_bias() -> None:
    """Without the subtraction the contamination alone gives a clear difference."""
    samples = [signed_control(seed) for seed in range(40)]
    areas = np.array([judge(sample, i) for i, sample in enumerate(samples)])
    pulls = (areas[:, 0] - 0.5) / areas[:, 1]
    assert 0.7 < pulls.std() < 1.3
    assert abs(pulls.mean()) < 3 / np.sqrt(40)
    tails = [tail_ratio(sample, 0.7) for sample in samples]
    found = np.array([tail.ratio for tail in tails]) - 1.0
    assert abs(found.mean()) < 3 * np.mean([tail.sigma for tail in tails]) / np.sqrt(40)
    kept = [sample.weights > -0.5 for sample in samples]
    plain = ControlScores(
        samples[0].scores[kept[0]], samples[0].is_data[kept[0]], samples[0].weights[kept[0]]
    )
    auc, sigma = judge(plain)
    assert auc - 0.5 > 5 * sigma
    # and a difference is seen through the subtraction
    auc, sigma = judge(signed_control(3, shift=SHIFT))
    assert auc == pytest.approx(0.640, abs=3 * sigma)
    assert sigma < 0.03


def probabilities(signed: bool) -> np.ndarray:
    """Of the Kolmogorov-Smirnov and of the χ² test, for 200 pairs of equal domains."""
    tests = [
        compare_scores(signed_control(i) if signed else toy_control(1500, 0.0, i), EDGES.tolist())
        for i in range(200)
    ]
    return np.array([[item.probability for item in pair] for pair in tests]).T


def test_probabilities_are_uniform_without_a_difference() -> None:
    ks, chi2 = probabilities(signed=False)
    signed_ks, signed_chi2 = probabilities(signed=True)
    for found in (ks, chi2, signed_chi2):
        assert stats.kstest(found, "uniform").pvalue > 0.01
    # with weights that depend on the score Kolmogorov's law has only a bound: never too small
    assert stats.kstest(signed_ks, "uniform", alternative="greater").pvalue > 0.01
    assert np.mean(signed_ks) == pytest.approx(0.5, abs=0.1)


def test_shapes_that_differ_are_refused_by_both_tests() -> None:
    ks, chi2 = compare_scores(toy_control(3000, SHIFT), EDGES.tolist())
    assert ks.statistic == pytest.approx(0.2, abs=0.03)
    assert ks.probability < 1e-20
    assert chi2.probability < 1e-20


def test_conditions_show_what_the_score_alone_hides() -> None:
    """The score differs with opposite sign for two values of a condition, and not on average."""
    rng = np.random.default_rng(4)
    is_data = np.repeat([True, False], 10_000)
    condition = rng.integers(0, 2, 20_000).astype(float)
    scores = rng.normal(0.5 * (condition - 0.5) * np.where(is_data, 1, -1), 1.0)
    sample = ControlScores(scores, is_data, np.ones(20_000))
    auc, sigma = judge(sample)
    assert abs(auc - 0.5) < 3 * sigma
    found = fresh_adversary(scores, is_data, sample.weights, 5, rng, condition[:, None])
    # shift of 0.5 at each value: Φ(0.5/√2) = 0.638
    assert found.auc == pytest.approx(0.638, abs=0.02)


def test_an_empty_tail_is_no_measurement_without_error() -> None:
    scores = np.array([0.1] * 100 + [0.1] * 90 + [0.9] * 10)
    sample = ControlScores(scores, np.repeat([True, False], 100), np.ones(200))
    found = tail_ratio(sample, 0.5)
    assert found.ratio == 0.0
    # √(0.1·0.9/100)/0.1: binomial error of the share that is expected
    assert found.sigma == pytest.approx(0.3)
    assert tail_ratio(sample, 0.95).ratio is None
    few = ControlScores(sample.scores[:193], sample.is_data[:193], np.ones(193))
    assert tail_ratio(few, 0.5).ratio is None  # to 3 simulated events


def test_few_events_are_refused() -> None:
    with pytest.raises(TaipanError, match=r"60\.0 effective events of data.*needs 100"):
        judge(toy_control(60, 0.0))


def test_distance_correlation_is_that_of_the_definition() -> None:
    """Against the sums over pairs of events, and 1 for a straight line."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=100)
    y = x**2 + rng.normal(size=100)
    weights = rng.choice([1.0, -0.3], p=[0.9, 0.1], size=100)
    w = weights / weights.sum()
    a, b = np.abs(x[:, None] - x), np.abs(y[:, None] - y)

    def covariance(a: np.ndarray, b: np.ndarray) -> float:
        return w @ (a * b) @ w + (w @ a @ w) * (w @ b @ w) - 2 * w @ ((a @ w) * (b @ w))

    expected = np.sqrt(covariance(a, b) / np.sqrt(covariance(a, a) * covariance(b, b)))
    # |weights| put two or so events into one of the 100 bins
    assert distance_correlation(x, y, weights) == pytest.approx(expected, abs=0.02)
    equal = np.ones(100)
    assert distance_correlation(x, 3.0 - 2.0 * x, equal) == pytest.approx(1.0, abs=1e-3)


def test_dependence_is_told_from_noise() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(2, 2000))
    weights = np.where(rng.random(2000) < 0.15, -1.0, 1.0)
    independent = measure_dependence(x, y, weights, 50, rng)
    assert independent.probability > 0.05
    assert independent.value < 3 * max(independent.expected, 0.02)
    dependent = measure_dependence(x, y + x**2, weights, 50, rng)
    assert dependent.probability == pytest.approx(1 / 51)
    assert dependent.value > 5 * dependent.expected


SAMPLES = {
    "S": Sample(role="signal", datasets=["s"]),
    "B": Sample(datasets=["b"]),
    "Q": Sample(estimate=same_sign(control="ss")),
}
REGIONS = {
    "signal": Region(cut="m < 1", role="signal"),
    "control": Region(cut="m > 1 and q > 0"),
    "ss": Region(cut="m > 1 and q < 0"),
}


def made_up(name: str, score: np.ndarray, m: float, q: int, weight: float | None) -> DatasetEvents:
    """Events whose score is given, at one place."""
    n = len(score)
    columns = {"x": score, "m": np.full(n, m), "q": np.full(n, q), "passes": np.ones(n, bool)}
    weights = None if weight is None else EventWeights(np.full(n, weight), {})
    return DatasetEvents(name, weight is None, columns, weights, np.zeros(n, dtype=np.int64))


def judged(datasets: list[DatasetEvents], **keys: object) -> dict[str, object]:
    settings = CheckSettings(
        EventSettings(SAMPLES, REGIONS, ["x"], ["control", "ss"], "signal", ["m", "x"]),
        DecorrelationCheck(variables=["x"], **keys),
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
        seed=1,
    )
    analysis = SimpleNamespace(compute=lambda columns: columns, is_late=is_score)
    networks = {"a": lambda x, _: x[:, 0], "b": lambda x, _: 1.0 - x[:, 0]}
    return judge_decorrelation(datasets, analysis, settings, measured(SAMPLES, 2.0), networks)


def made_up_datasets(seed: int) -> list[DatasetEvents]:
    rng = np.random.default_rng(seed)
    return [
        made_up("s", rng.beta(3, 1, 500).astype(np.float32), 0.5, 1, 0.1),
        made_up("b", rng.beta(1, 3, 500).astype(np.float32), 0.5, 1, 1.0),
        made_up("b", rng.beta(1, 3, 2000).astype(np.float32), 2.0, 1, 0.5),
        made_up("b", rng.beta(1, 3, 100).astype(np.float32), 2.0, -1, 0.5),
        made_up("d", rng.beta(1, 3, 1000).astype(np.float32), 2.0, 1, None),
        made_up("d", rng.beta(5, 5, 600).astype(np.float32), 2.0, 1, None),
        made_up("d", rng.beta(5, 5, 300).astype(np.float32), 2.0, -1, None),
        made_up("d", rng.beta(1, 3, 50).astype(np.float32), 2.0, -1, None),
    ]


def test_record_subtracts_the_estimate_and_compares_networks() -> None:
    found = judged(made_up_datasets(1))
    control, same_sign = (found["regions"][name] for name in ("control", "ss"))
    assert control["observed"] == 1600
    # 1600 data - 2 · (350 data - 100 · 0.5 of simulation)
    assert control["data"]["sumw"] == pytest.approx(1600 - 2 * 300)
    assert control["simulation"]["sumw"] == pytest.approx(1000)
    assert control["subtracted"]
    assert not same_sign["subtracted"]
    assert same_sign["data"]["sumw"] == pytest.approx(350)
    for label in ("a", "b"):
        points = found["networks"][label]["working_points"]
        assert [item["efficiency"] for item in points] == [0.5, 0.3, 0.1]
        region = found["networks"][label]["regions"]["control"]
        assert abs(region["adversary"]["auc"] - 0.5) < 3 * region["adversary"]["sigma"]
        assert region["chi2"]["probability"] > 0.01
        assert sum(region["score"]["simulation"]) == pytest.approx(1000)
    # median of β(3, 1)
    assert found["networks"]["a"]["working_points"][0]["threshold"] == pytest.approx(
        0.5 ** (1 / 3), abs=0.03
    )
    assert found["networks"]["a"]["dependence"]["signal"]["x"]["value"] == pytest.approx(1.0)


def test_data_of_the_signal_region_change_nothing() -> None:
    datasets = made_up_datasets(2)
    hidden = made_up("d", np.full(5000, 0.99, dtype=np.float32), 0.5, 1, None)
    assert judged(datasets) == judged([*datasets, hidden])


def test_a_region_without_events_says_so() -> None:
    found = judged([item for item in made_up_datasets(3) if item.columns["q"][0] > 0])
    region = found["networks"]["a"]["regions"]["ss"]
    assert region["adversary"] is None
    assert region["tails"] is None
    assert region["ks"] is None
    assert len(region["problems"]) == 3
    assert found["regions"]["ss"]["simulated_share"] is None


def test_figures_show_every_network_and_region() -> None:
    """Also where a region has no events: nothing is drawn for what could not be measured."""
    header = {"label": "Taipan toy", "luminosity": 1.0, "energy": 8.0}
    record = judged([item for item in made_up_datasets(4) if item.columns["q"][0] > 0])
    numbers = decorrelation_numbers(record, REGIONS, header)
    scores = region_scores_figure(numbers)
    assert len(scores.axes) == 2 * 2 * 2  # networks, regions, score and ratio
    tails = tail_figure(numbers)
    assert [axes.get_xlabel() for axes in tails.axes] == [
        *(f"Data / sim. above {share} % signal" for share in (50, 30, 10)),
        "AUC of a fresh adversary",
    ]
    drawn = [len(item.lines[0].get_xdata()) for item in tails.axes[-1].containers]
    assert drawn == [1, 1]  # the region with events, of both networks
    found = tails.axes[-1].containers[0].lines[0].get_xdata()[0]
    assert found == record["networks"]["a"]["regions"]["control"]["adversary"]["auc"]
