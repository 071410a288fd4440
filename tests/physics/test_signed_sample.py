"""The NLO-like sample: its signed density is that of the sample with positive weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from taipan.config.model import Config
from taipan.fastsim import write_dataset
from taipan.skim.run import Chunk, skim_chunk
from taipan.skim.storage import read_events
from tests.conftest import fastsim_settings, skim_settings
from tests.htautau import ANALYSIS

EVENTS = 60_000
NEGATIVE = 0.3
SHAPE = 1e-6  # probability below which two shapes are certainly different

Selected = tuple[dict[str, np.ndarray], np.ndarray]


def select_taus(dataset: str, folder: Path) -> Selected:
    """Quantities and signed weights of selected Z→ττ events."""
    root, parquet = folder / f"{dataset}.root", folder / f"{dataset}.parquet"
    settings = fastsim_settings(negative_fraction=NEGATIVE, events={dataset: EVENTS})
    write_dataset(dataset, root, settings, seed=2)
    cutflow = folder / f"{dataset}.json"
    skim_chunk(Chunk(root), ANALYSIS, skim_settings(dataset), parquet, cutflow, {})
    columns = read_events([parquet], ANALYSIS.columns)
    quantities = ANALYSIS.compute(columns)
    chosen = quantities["passes"] & (quantities["gen_match"] == 1)
    weights = columns["genWeight"].astype(float)[chosen]
    return {name: values[chosen] for name, values in quantities.items()}, weights


@pytest.fixture(scope="module")
def signed_and_plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Selected, Selected]:
    folder = tmp_path_factory.mktemp("signed")
    return select_taus("DYToTauTau_NLO", folder), select_taus("DYJetsToLL", folder)


def probability(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], bins: int = 10
) -> float:
    """Probability of the χ² of two weighted shapes in quantiles; missing values have a bin.

    A quantity of few values has a bin for each, up to the last one with 100 events. The variance
    of a bin is Σw², and the scale between the two is fitted, which costs one degree of freedom.
    """
    values = np.concatenate([first[0], second[0]]).astype(float)
    present = values[~np.isnan(values)]
    edges, numbers = np.unique(present, return_counts=True)
    if len(edges) > 2 * bins:
        edges = np.quantile(present, np.linspace(0.0, 1.0, bins + 1)[1:-1])
    else:
        edges = edges[np.cumsum(numbers[::-1])[::-1] >= 100][1:]
    sums = [
        [
            np.bincount(
                np.where(np.isnan(x), 0, 1 + np.searchsorted(edges, x, "right")),
                weights**power,
                len(edges) + 2,
            )
            for power in (1, 2)
        ]
        for x, weights in (first, second)
    ]
    filled = sums[0][1] + sums[1][1] > 0
    (content, variance), (other, other_variance) = ([x[filled] for x in pair] for pair in sums)
    assert len(content) >= 3
    scale = content.sum() / other.sum()
    for _ in range(20):
        error = variance + scale**2 * other_variance
        scale = np.sum(content * other / error) / np.sum(other**2 / error)
    statistic = np.sum((content - scale * other) ** 2 / error)
    return float(chi2.sf(statistic, len(content) - 1))


def test_every_feature_has_the_density_of_positive_weights(
    signed_and_plain: tuple[Selected, Selected], analysis_config: Config
) -> None:
    """After the selection; 0.05 for the smallest of n probabilities is 0.05/n for each."""
    (signed, weights), (plain, ones) = signed_and_plain
    assert len(weights) > 0.2 * EVENTS
    assert np.all(ones == 1.0)
    assert set(np.unique(weights)) == {-1.0, 1.0}
    features = analysis_config.features
    assert len(features) >= 17
    found = {name: probability((signed[name], weights), (plain[name], ones)) for name in features}
    assert {name: p for name, p in found.items() if not p > 0.05 / len(features)} == {}


def test_without_the_signs_the_density_is_another(
    signed_and_plain: tuple[Selected, Selected],
) -> None:
    """What the χ² can see: the cancelling density is really different."""
    (signed, weights), (plain, ones) = signed_and_plain
    for name in ("pt_tt", "njets", "jpt_1"):
        unsigned = probability((signed[name], np.abs(weights)), (plain[name], ones))
        assert unsigned < SHAPE, name


def test_the_probability_is_uniform_for_equal_densities() -> None:
    """Signed errors: 3 of 10 weights are negative, and p is below 0.1 in a tenth of the trials."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(400):
        x, y = rng.exponential(size=4000), rng.exponential(size=3000)
        signs = np.where(rng.uniform(size=4000) < 0.3, -1.0, 1.0)
        found.append(probability((x, signs), (y, np.ones(3000))))
    for level in (0.1, 0.5):
        share = np.mean(np.asarray(found) < level)
        assert share == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 400))
