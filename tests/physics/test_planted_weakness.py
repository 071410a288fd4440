"""Networks that are trained on a feature whose simulation is off by 2 σ, or on one that is known.

Signal and background are 2 apart in `a` and in `b`. `a` is known to 0.01, `b` to 0.5. In the data,
`b` is 1.0 larger than in the simulation: 2 σ.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taipan.certify.fitted import judge_robustness
from taipan.config.sections.training import Training
from taipan.inference import compile_model
from taipan.inference.toys import fit_pseudo_data
from taipan.nn.data import TrainingSet
from taipan.nn.scorer import FoldScorer
from taipan.nn.train import train_network
from tests.unit.test_robustness_sources import (
    EDGES,
    MovedTemplates,
    attacker,
    make_sample,
    workspace,
    write_result,
)

NAMES = ("a", "b", "product")
SIGMA = 0.5
YIELDS = {"signal": 200.0, "background": 2000.0}


def train(folder: Path, used: tuple[bool, ...]) -> FoldScorer:
    """Train on simulation, of other events than those that are attacked."""
    parts = [make_sample(name, 1500, 1500.0, seed=11) for name in YIELDS]
    features = np.concatenate(
        [part.sources.stack(part.sources.quantities(part.columns, np.zeros((1500, 2))))
         for part in parts]
    ).astype(np.float32)  # fmt: skip
    numbers = np.arange(3000)
    labels = (numbers < 1500).astype(np.int64)
    events = TrainingSet(
        features, NAMES, labels, np.ones(3000), numbers % 2, labels, numbers.astype(np.uint64)
    )
    settings = Training(
        folds=2, networks=1, hidden_layers=[16], dropout=0.0, epochs=40, checkpoint_every=0,
        batch_size=64,
    )  # fmt: skip
    models = [folder / f"fold{i}.onnx" for i in range(2)]
    train_network(events, settings, 1, models, folder / "training.json", used=used)
    return FoldScorer(models, NAMES)


def measure(folder: Path, used: tuple[bool, ...]) -> dict[str, Any]:
    """Attack a network; give the verdict, and what data with a shifted `b` do to the estimate."""
    chosen = attacker(train(folder, used))
    numbers, templates, shifted = {}, {}, np.zeros(len(EDGES) - 1)
    for name, total in YIELDS.items():
        sample = make_sample(name, 1000, total, size=SIGMA)
        numbers[name], templates[name] = chosen.attack(sample)
        pulls = np.tile([2.0, 0.0], (1000, 1))
        events = sample.sources.stack(sample.sources.quantities(sample.columns, pulls))
        scores = chosen.score(events.astype(np.float32), sample.folds)
        shifted += np.histogram(scores, EDGES, weights=sample.weights)[0]
    write_result(folder, templates)
    (line,) = judge_robustness(folder)
    (size,) = [x for x in numbers["background"]["physical"]["sizes"] if x["size"] == 1.0]
    return {"verdict": line.verdict, "bias": fit_bias(templates, shifted), **size}


def fit_bias(templates: dict[str, MovedTemplates], data: np.ndarray) -> float:
    """Fit data with a model that knows nothing of the shift; give (μ̂ − 1)/σ."""
    model = compile_model(workspace(templates))
    start = model.nominal(1.0)
    asimov = model.asimov(start)
    observed = asimov.copy()
    observed[model.regions["signal"]] = data
    found = fit_pseudo_data(model, np.array([asimov, observed]), start)[0]
    return float((found["mu_hat"][1] - 1.0) / found["sigma"][0])


def test_a_network_on_a_feature_that_is_off_is_found_before_the_data_show_it(
    tmp_path: Path,
) -> None:
    found = measure(tmp_path, (False, True, False))
    assert abs(found["bias"]) > 2.0  # the weakness is one
    assert found["verdict"] == "failed"
    assert found["fooled"] > 0.1
    assert found["fooled"] > 2.0 * found["control"]


def test_a_network_on_a_feature_that_is_known_is_sound(tmp_path: Path) -> None:
    found = measure(tmp_path, (True, False, False))
    assert found["bias"] == pytest.approx(0.0, abs=0.3)
    assert found["verdict"] == "passed"
    assert found["fooled"] < 0.02
