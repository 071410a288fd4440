"""A point of the scan of the adversary's strength, on the events of a finished run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from taipan.adversary_scan import Files, choose_strength, measure_point
from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.events.inputs import SkimmedEvents
from taipan.nn.inputs import TrainingInputs
from taipan.search.setup import TrainingFiles
from tests.project import RESULTS, ROOT, SMOKE, Project

OVERLAY = """\
decorrelation: {regions: [w_control, antiiso_os], permutations: 2}
training: {adversary: {warmup_epochs: 1, sees: hidden}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(OVERLAY, encoding="utf-8")
    return read_config([ROOT / SMOKE, overlay], ROOT)


def test_point_is_trained_judged_and_expected(
    finished: Project, settings: Config, tmp_path: Path
) -> None:
    base = finished.path / RESULTS
    names = [*settings.data, *(d for item in settings.samples.values() for d in item.datasets)]
    files = Files(
        TrainingFiles(
            inputs=TrainingInputs(
                SkimmedEvents(
                    events={
                        name: sorted(map(str, (base / "events" / name).glob("*.parquet")))
                        for name in names
                    },
                    normalisation=str(base / "normalisation.json"),
                    pileup=str(base / "corrections/pileup.json"),
                ),
                transfer_factor=str(base / "corrections/transfer_factor.json"),
            ),
        ),
        shapes=str(base / "corrections/shapes.json"),
    )
    models = [tmp_path / f"fold{i}.onnx" for i in range(settings.training.folds)]
    record = tmp_path / "training.json"
    point = measure_point(files, settings, 5.0, 3, models, record)
    assert 0.55 < point["auc"] < 0.95
    # the residual is a systematic of its own: it can only add
    assert point["sigma_mu"]["total"] >= point["sigma_mu"]["without_residual"] > 0.5
    assert set(point["residual"]) == {"control_residual"}
    assert set(point["compared"]) == {"w_control", "antiiso_os"}
    (opponent,) = json.loads(record.read_text(encoding="utf-8"))["opponents"]
    assert opponent["λ"] == 5.0
    assert opponent["data"]["negative_fraction"] > 0.05  # the same-sign estimate is subtracted
    choice = choose_strength([point], "w_control", 0.5)
    assert choice["chosen"] == 5.0
    assert choice["strengths"][0]["sigma_mu"]["mean"] == point["sigma_mu"]["total"]
