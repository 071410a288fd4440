"""An adversary on a toy whose mismodelling is known: the strongest feature is shifted in data.

One training is no measurement: three seeds, and their means.
"""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.adversary import judge_toy, summarise, train_toy

EVENTS, SEEDS = 8000, range(3)


def judge(strength: float, permuted: bool = False) -> dict[str, float]:
    """Mean over the seeds of every number."""
    runs = [judge_toy(train_toy(strength, seed, EVENTS, permuted)[0], seed) for seed in SEEDS]
    return {key: item["mean"] for key, item in summarise(runs).items()}


@pytest.fixture(scope="module")
def plain() -> dict[str, float]:
    return judge(0.0)


def test_plain_training_is_the_one_that_theory_gives(plain: dict[str, float]) -> None:
    """Gaussians: AUC Φ(2.16/√2), in data less by 0.6 · 1.8/2.16; the ratio is that of two tails."""
    assert plain["auc_simulation"] == pytest.approx(0.936, abs=0.004)
    assert plain["auc_data"] == pytest.approx(0.879, abs=0.006)
    assert plain["ratio_50"] == pytest.approx(3.13, abs=0.25)
    assert plain["fresh"] == pytest.approx(0.64, abs=0.015)


def test_adversary_halves_the_mismodelling_of_the_tail(plain: dict[str, float]) -> None:
    adversarial = judge(10.0)
    for key in ("ratio_50", "ratio_30", "ratio_10"):
        assert adversarial[key] - 1.0 < 0.5 * (plain[key] - 1.0)
    assert plain["auc_data"] - adversarial["auc_data"] < 0.02
    assert adversarial["fresh"] < 0.60


def test_permuted_domains_have_no_effect(plain: dict[str, float]) -> None:
    permuted = judge(10.0, permuted=True)
    assert permuted["auc_simulation"] == pytest.approx(plain["auc_simulation"], abs=0.005)
    assert permuted["auc_data"] == pytest.approx(plain["auc_data"], abs=0.01)
    assert np.log(permuted["ratio_50"] / plain["ratio_50"]) == pytest.approx(0.0, abs=0.1)
