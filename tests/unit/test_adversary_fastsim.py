"""The study of the adversary on fastsim: which rows are repetitions of each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from benchmarks import adversary_fastsim

from taipan.config.model import Config
from taipan.events.load import DatasetEvents
from taipan.events.weights import EventWeights
from tests.synthetic_templates import make_config

CONFIG = make_config().model_copy(update={"folder": "config/analyses/htautau"})
COUNT = 5


def describe(config: Config | None = None, seed: int = 1, **columns: Any) -> dict[str, str]:
    values = {"x": np.arange(COUNT, dtype=np.float32), **columns}
    weights = EventWeights(np.ones(COUNT), {})
    events = DatasetEvents("W", False, values, weights, np.arange(COUNT) % 3)
    data = replace(events, name="Data", is_data=True, weights=None)
    run = adversary_fastsim.SimpleNamespace(datasets=[events, data], transfer={"value": 1.1})
    return adversary_fastsim.describe_training(run, config or CONFIG, seed)


def test_same_events_settings_and_code_are_a_repetition() -> None:
    assert describe() == describe()
    assert all(describe().values())


def test_whatever_a_training_depends_on_is_told() -> None:
    training = CONFIG.training.model_copy(update={"patience": CONFIG.training.patience + 1})
    changed = np.arange(COUNT, dtype=np.float32)
    changed[3] = np.nextafter(changed[3], 10.0)
    for key, other in (
        ("seed", describe(seed=2)),
        ("settings", describe(CONFIG.model_copy(update={"training": training}))),
        ("events", describe(x=changed)),
    ):
        different = {name for name, value in describe().items() if other[name] != value}
        assert different == {key}


def test_networks_of_other_events_are_not_used_again(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[dict[str, str]] = []
    first, second = {"events": "a"}, {"events": "b"}
    for wanted in (first, first, second, second):
        area = adversary_fastsim.train_once(
            tmp_path, wanted, lambda wanted=wanted: (trained.append(wanted), 0.8)[1]
        )
        assert area == 0.8
    assert trained == [first, second]
