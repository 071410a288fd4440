"""The choice of λ from the points of a scan, and its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taipan.adversary_scan import choose_strength
from taipan.errors import TaipanError
from taipan.plotting.adversary import area_figure, judged_before_and_after, sigma_figure
from taipan.plotting.style import save_figure

HEADER = {"label": "Taipan fastsim", "luminosity": 2.0, "energy": 8.0}


def point(strength: float, seed: int, sigma: float, ratio: float | None = 1.2) -> dict[str, Any]:
    tails = None if ratio is None else [{"efficiency": 0.5, "ratio": ratio, "sigma": 0.1}]
    adversary = None if ratio is None else {"auc": 0.5 + 0.1 * (ratio - 1.0), "sigma": 0.01}
    return {
        "strength": strength,
        "seed": seed,
        "auc": 0.85 - 0.001 * strength,
        "sigma_mu": {"total": sigma, "without_residual": sigma - 0.1},
        "compared": {"cr": {"simulated_share": 0.9}},
        "judge": {"regions": {"cr": {"tails": tails, "adversary": adversary}}},
    }


POINTS = [
    *(point(0.0, seed, 2.0 + 0.02 * seed, 1.5) for seed in range(3)),
    *(point(10.0, seed, 1.8 + 0.02 * seed, 1.1) for seed in range(3)),
    *(point(30.0, seed, 1.81 + 0.02 * seed, None) for seed in range(3)),
]


def test_smallest_mean_uncertainty_is_chosen() -> None:
    choice = choose_strength(POINTS[::-1], "cr", 0.5)
    assert choice["chosen"] == 10.0
    # 0.01 apart, with a standard error of √2 · 0.02/√3
    assert choice["as_good"] == [10.0, 30.0]
    assert [row["strength"] for row in choice["strengths"]] == [0.0, 10.0, 30.0]
    plain = choice["strengths"][0]
    assert plain["sigma_mu"]["mean"] == pytest.approx(2.02)
    assert plain["sigma_mu"]["spread"] == pytest.approx(0.02)
    assert plain["tail_ratio"]["values"] == [1.5] * 3
    assert plain["adversary_auc"]["mean"] == pytest.approx(0.55)
    assert choice["strengths"][2]["tail_ratio"]["mean"] is None


def test_one_lucky_seed_does_not_decide() -> None:
    lucky = [point(50.0, seed, sigma) for seed, sigma in enumerate((1.5, 2.1, 2.1))]
    assert choose_strength([*POINTS, *lucky], "cr", 0.5)["chosen"] == 10.0


def test_missing_seed_is_named() -> None:
    with pytest.raises(TaipanError, match=r"λ = 30 has the seeds \[0, 1\], others \[0, 1, 2\]"):
        choose_strength(POINTS[:-1], "cr", 0.5)
    with pytest.raises(TaipanError, match="the scan has no points"):
        choose_strength([], "cr", 0.5)


def test_figures_show_every_training(tmp_path: Path) -> None:
    choice = choose_strength(POINTS, "cr", 0.5)
    area = area_figure(choice, HEADER)
    left, right = area.axes
    assert [len(line.get_xdata()) for line in left.lines[1:]] == [3, 3]  # one λ has no tail
    assert left.get_legend().get_texts()[1].get_text() == "λ = 10 (chosen)"
    assert left.get_xlabel() == "Data / simulation above 50 % signal"
    assert right.get_xlabel() == "AUC of a fresh adversary"
    sigma = sigma_figure(choice, HEADER)
    assert [text.get_text() for text in sigma.axes[0].get_xticklabels()] == ["0", "10", "30"]
    for name, figure in (("area", area), ("sigma", sigma)):
        paths = {kind: str(tmp_path / f"{name}.{kind}") for kind in ("pdf", "png", "json")}
        save_figure(figure, paths, choice)
        assert Path(paths["png"]).stat().st_size > 5000


def test_before_and_after_are_the_same_seed() -> None:
    judged = judged_before_and_after(POINTS, choose_strength(POINTS, "cr", 0.5))
    assert list(judged["networks"]) == ["λ = 0", "λ = 10"]
    assert judged["networks"]["λ = 10"] == POINTS[3]["judge"]
    assert judged["regions"] == {"cr": {"simulated_share": 0.9}}


def test_plain_training_is_compared_with_the_best_adversary() -> None:
    points = [item for item in POINTS if item["strength"] > 0.0]
    judged = judged_before_and_after(points, choose_strength(points, "cr", 0.5))
    assert list(judged["networks"]) == ["λ = 10", "λ = 30"]
    alone = POINTS[:3]
    assert list(judged_before_and_after(alone, choose_strength(alone, "cr", 0.5))["networks"]) == [
        "λ = 0"
    ]
