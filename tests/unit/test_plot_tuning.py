from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from taipan.errors import TaipanError
from taipan.plotting.style import save_figure
from taipan.plotting.tuning import (
    bar_figure,
    importance_numbers,
    selection_figure,
    trials_figure,
    tuning_numbers,
)
from taipan.search.importance import Value

HEADER = {"label": "Toy", "luminosity": 2.0, "energy": 8.0}
BEST = {"objective": "brier", "trial": 0}


@pytest.fixture
def trials(tmp_path: Path) -> Path:
    """The objective follows the dropout; the units do not matter; one trial is rejected."""
    generator = np.random.default_rng(0)
    lines = ["trial,status,objective,layers,units,activation,dropout,learning_rate,reason"]
    for i in range(30):
        dropout = i / 60
        status, value = ("rejected", "") if i == 5 else ("completed", f"{0.2 + dropout**2:.6f}")
        activation = generator.choice(["relu", "silu"])
        units = generator.choice([32, 64])
        lines.append(f"{i},{status},{value},2,{units},{activation},{dropout:.4f},0.001,")
    path = tmp_path / "trials.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_importance_is_the_share_of_the_variance(trials: Path) -> None:
    numbers = tuning_numbers(trials, BEST, HEADER)
    importance = numbers["importance"]
    assert list(importance) == ["units", "activation", "dropout"]  # what was varied
    assert importance["dropout"]["value"] == pytest.approx(1.0, abs=1e-6)
    assert importance["units"]["value"] < 0.3
    assert importance["activation"]["value"] < 0.3
    assert importance["units"]["sigma"] > importance["dropout"]["sigma"]
    assert [item["objective"] is None for item in numbers["trials"]].index(True) == 5


def test_figures_of_the_search_are_saved(trials: Path, tmp_path: Path) -> None:
    numbers = tuning_numbers(trials, BEST, HEADER)
    for name, figure in (
        ("trials", trials_figure(numbers)),
        ("importance", bar_figure(numbers["importance"], HEADER, "Share", "Hyperparameters")),
    ):
        paths = {kind: str(tmp_path / f"{name}.{kind}") for kind in ("pdf", "png", "json")}
        save_figure(figure, paths, numbers)
        assert json.loads(Path(paths["json"]).read_text())["best"] == 0
        assert Path(paths["png"]).stat().st_size > 10_000
    lines = trials_figure(numbers).axes[0].lines
    assert sum(line.get_linestyle() == "--" for line in lines) == 1
    assert max(line.get_linewidth() for line in lines) == 2.8


def test_bars_are_sorted_with_their_errors() -> None:
    found = {"a": Value(0.1, 0.01), "b": Value(0.3, 0.02), "c": Value(-0.01, 0.02)}
    numbers = importance_numbers(found, 3, HEADER)
    assert numbers["importance"]["b"] == {"value": 0.3, "sigma": 0.02}
    axes = bar_figure(numbers["importance"], HEADER, "Loss", "Inputs").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "a", "b"]
    assert [bar.get_width() for bar in axes.patches] == [-0.01, 0.1, 0.3]


def test_chosen_set_is_marked() -> None:
    steps = [
        {"dropped": "", "kept": ["a", "b", "c"], "value": 0.30, "sigma": 0.01},
        {"dropped": "c", "kept": ["a", "b"], "value": 0.29, "sigma": 0.01},
        {"dropped": "b", "kept": ["a"], "value": 0.35, "sigma": 0.01},
    ]
    content = {"metric": "brier", "chosen": ["a", "b"], "steps": steps}
    axes = selection_figure(content, HEADER).axes[0]
    (marked,) = [line for line in axes.lines if line.get_markersize() == 11]
    assert marked.get_xydata().tolist() == [[1.0, 0.29]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["all", "− c", "− b"]


def test_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match=r"cannot read .*trials\.csv: No such file"):
        tuning_numbers(tmp_path / "trials.csv", BEST, HEADER)
