"""The HiggsML stand-in run to its end, with intervals calibrated on pseudo-experiments."""

from __future__ import annotations

import numpy as np
import pytest

from taipan.analysis_folder import import_part, shipped_folder
from taipan.atomic import read_json
from taipan.coverage.calibrate import IntervalCalibration
from tests.project import Project, copy_project

pytestmark = pytest.mark.workflow

CALIBRATED = """\
analysis: higgsml
results: results/calibrated
fastsim: {events: {htautau: 20000, ztautau: 60000, ttbar: 6000, diboson: 5000}}
features: [DER_mass_vis, DER_pt_h, PRI_met, DER_sum_pt]
observables: {nn_score: {binning: [0.0, 0.6, 0.8, 1.0]}}
training: {epochs: 4, hidden_layers: [8], batch_size: 4096}
coverage: {calibrate: true, experiments: 240, batches: 2}
fit: {poi_range: [-20.0, 30.0]}
"""


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small run of the HiggsML stand-in with calibrated intervals."""
    project = copy_project(tmp_path_factory.mktemp("calibrated") / "taipan")
    project.snakemake(config=(project.overlay(CALIBRATED),))
    return project


def test_interval_of_the_summary_is_what_the_calibration_says(calibrated: Project) -> None:
    """The pull at each end, in the distance to the fitted end on that side, is the quantile."""
    results = calibrated.path / "results/calibrated/higgsml"
    summary = read_json(results / "summary.json")
    record = read_json(results / "calibration/nn_score.json")
    found = summary["calibration"]
    assert found["experiments"] >= 238
    assert 0.1 <= found["span"][0] < 0.3
    assert 2.8 < found["span"][1] <= 3.0
    for kind in ("expected", "observed"):
        mu_hat, (low, high) = summary[kind]["mu_hat"], summary[kind]["interval"]
        for end, line in zip(found[kind], (record["upper"], record["lower"]), strict=True):
            sigma = mu_hat - low if end < mu_hat else high - mu_hat
            quantile = line[0] + line[1] * np.clip(end, *found["span"])
            assert (mu_hat - end) / sigma == pytest.approx(quantile, abs=0.01)
    text = (results / "summary.md").read_text(encoding="utf-8")
    assert "Calibrated intervals:" in text
    assert f"Of {found['experiments']} pseudo-experiments" in text


def test_submission_predicts_with_the_calibrated_interval(calibrated: Project) -> None:
    """The nominal simulation as a test set: μ̂ is 1 and the interval that of the expected result."""
    results = calibrated.path / "results/calibrated/higgsml"
    model = import_part(shipped_folder("higgsml"), "submission").Model(
        results=results, configs=[calibrated.path / "overlay.yaml"]
    )
    model.fit()
    summary = read_json(results / "summary.json")
    counts = {
        channel["name"]: np.array(channel["data"])
        for channel in read_json(results / "workspace.json")["observations"]
    }
    model.count = lambda _: counts
    found = model.predict({"data": {}})
    record = read_json(results / "calibration/nn_score.json")
    low, high = IntervalCalibration.from_dict(record).apply(
        *(np.array([value]) for value in (summary["observed"]["mu_hat"],
                                          *summary["observed"]["interval"]))
    )  # fmt: skip
    assert found["mu_hat"] == pytest.approx(
        np.clip(summary["observed"]["mu_hat"], 0.1, 3.0), abs=1e-3
    )
    assert found["p16"] == pytest.approx(np.clip(low[0], 0.1, 3.0), abs=0.01)
    assert found["p84"] == pytest.approx(np.clip(high[0], 0.1, 3.0), abs=0.01)
    assert found["delta_mu_hat"] == pytest.approx((found["p84"] - found["p16"]) / 2.0)
