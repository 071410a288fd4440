"""A run as an entry to the challenge, on the 1,000 public rows: counts and fit worked out apart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest

from taipan.analysis_folder import import_part, shipped_folder
from taipan.config.load import read_config
from taipan.config.slices import hash_config
from taipan.errors import TaipanError
from tests.real_data import real_data

ROOT = Path(__file__).parents[2]
FOLDER, needs_data = real_data("fair-universe")
SUBMISSION = import_part(shipped_folder("higgsml"), "submission")
SIGNAL, BACKGROUND = 20.0, 20.0


def write_network(path: Path, fold: int) -> None:
    """Write a network whose score is sigmoid((m_vis - 80)/20), for both folds."""
    helper = onnx.helper
    kernel = onnx.numpy_helper.from_array(np.array([[0.05]], np.float32), "kernel")
    bias = onnx.numpy_helper.from_array(np.array([-4.0], np.float32), "bias")
    nodes = [
        helper.make_node("Gemm", ["features", "kernel", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["events", 1])]
        for name in ("features", "score")
    ]
    graph = helper.make_graph(nodes, "test", *ends, [kernel, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    properties = {"features": '["DER_mass_vis"]', "fold": str(fold), "folds": "2", "networks": "1"}
    helper.set_model_props(model, properties)
    path.write_bytes(model.SerializeToString())


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, Path]:
    """Results and configuration of a made-up run: one feature, two bins a region."""
    overlay = tmp_path / "one.yaml"
    overlay.write_text("features: [DER_mass_vis]\n", encoding="utf-8")
    results = tmp_path / "results"
    for name in ("models", "workspaces", "calibration"):
        (results / name).mkdir(parents=True)
    for fold in (0, 1):
        write_network(results / f"models/fold{fold}.onnx", fold)
    channels = [
        {
            "name": region,
            "samples": [
                {
                    "name": "htautau",
                    "data": [0.0, SIGNAL],
                    "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
                },
                {"name": "ztautau", "data": [50.0, BACKGROUND], "modifiers": []},
            ],
        }
        for region in ("two_jets", "boosted")
    ]
    workspace = {
        "version": "1.0.0",
        "channels": channels,
        "observations": [{"name": c["name"], "data": [1.0, 1.0]} for c in channels],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": [
            {"name": "mu", "bounds": [[-20.0, 20.0]], "inits": [1.0]}]}}],
    }  # fmt: skip
    edges = {"edges_after": [0.0, 0.5, 1.0]}
    config = read_config([overlay], ROOT, analysis="higgsml")
    files: dict[str, Any] = {
        "workspaces/nn_score.json": workspace,
        "workspaces/nn_score_record.json": {"regions": {"two_jets": edges, "boosted": edges}},
        "calibration/nn_score.json": {
            "lower": [-2.0, 0.0], "upper": [2.0, 0.0], "span": [0.1, 3.0], "experiments": 100,
        },
        "summary.json": {"provenance": {"config": hash_config(config)}},
    }  # fmt: skip
    for name, content in files.items():
        (results / name).write_text(json.dumps(content), encoding="utf-8")
    return results, overlay


def rows() -> dict[str, Any]:
    table = pq.read_table(FOLDER / "FAIR_Universe_HiggsML_data.parquet")
    return {name: table[name].to_numpy() for name in table.column_names if name[:3] == "PRI"}


@needs_data
def test_a_test_set_is_counted_and_fitted(run: tuple[Path, Path]) -> None:
    results, overlay = run
    model = SUBMISSION.Model(results=results, configs=[overlay], calibrated=False)
    model.fit()
    data = rows()
    repeats = np.arange(len(data["PRI_met"])) % 3  # 0, 1, 2 times
    counts = model.count({"data": data, "weights": repeats})
    # by hand, of rows whose jets are all above the threshold or not there
    lost = sum((data[f"PRI_jet_{w}_pt"] > 0) & (data[f"PRI_jet_{w}_pt"] < 26)
               for w in ("leading", "subleading"))  # fmt: skip
    jets = data["PRI_n_jets"] - lost
    pairs = (("lep_pt", "lep_phi"), ("had_pt", "had_phi"), ("met", "met_phi"))
    lep, had, met = ((data[f"PRI_{a}"], data[f"PRI_{b}"]) for a, b in pairs)
    x, y = (sum(pt * f(phi) for pt, phi in (lep, had, met)) for f in (np.cos, np.sin))
    deta, dphi = data["PRI_lep_eta"] - data["PRI_had_eta"], lep[1] - had[1]
    mass = np.sqrt(2 * lep[0] * had[0] * (np.cosh(deta) - np.cos(dphi)))
    chosen = (had[0] >= 26) & (lep[0] >= 20) & (np.hypot(x, y) > 60)
    for region, mask in (("two_jets", chosen & (jets > 1.5)), ("boosted", chosen & (jets < 1.5))):
        expected = np.histogram(mass[mask], [0, 80, 1e4], weights=repeats[mask])[0]
        assert counts[region].tolist() == expected.tolist()
    once = model.count({"data": data})
    n = np.array([once["two_jets"][1], once["boosted"][1]])
    # the same expectation in both bins: μ̂ = (mean - b)/s, for a Poisson likelihood, too
    assert model.predict({"data": data})["mu_hat"] == pytest.approx(
        np.clip((n.mean() - BACKGROUND) / SIGNAL, 0.1, 3.0), abs=1e-4
    )


@needs_data
def test_interval_is_calibrated_and_stays_in_the_allowed_range(run: tuple[Path, Path]) -> None:
    results, overlay = run
    data = rows()
    plain = SUBMISSION.Model(results=results, configs=[overlay], calibrated=False)
    wide = SUBMISSION.Model(results=results, configs=[overlay])
    for model in (plain, wide):
        model.fit()
    # enough rows that the interval lies inside the range
    test_set = {"data": data, "weights": np.full(len(data["PRI_met"]), 1.0)}
    first, second = plain.predict(test_set), wide.predict(test_set)
    n = sum(plain.count(test_set)[name][1] for name in ("two_jets", "boosted"))
    assert 0.5 < first["mu_hat"] < 2.5
    assert first["mu_hat"] == pytest.approx((n / 2 - BACKGROUND) / SIGNAL, abs=1e-4)
    # Poisson in two equal bins: σ(μ) = √n / 2 s, to second order in 1/√n
    assert first["p84"] - first["p16"] == pytest.approx(np.sqrt(n) / SIGNAL, rel=0.01)
    assert second["delta_mu_hat"] == pytest.approx(2 * first["delta_mu_hat"], rel=0.01)
    assert set(second) == {"mu_hat", "delta_mu_hat", "p16", "p84"}
    huge = wide.predict({"data": data, "weights": np.full(len(data["PRI_met"]), 9.0)})
    assert (huge["mu_hat"], huge["p84"]) == (3.0, 3.0)


@needs_data
def test_an_exported_entry_gives_the_same_answer(run: tuple[Path, Path], tmp_path: Path) -> None:
    results, overlay = run
    entry = tmp_path / "entry"
    SUBMISSION.export(results, entry, [overlay])
    expected = SUBMISSION.Model(results=results, configs=[overlay])
    expected.fit()
    shutil.rmtree(results / "models")
    exported = SUBMISSION.Model(results=entry)
    exported.fit()
    assert (entry / "model.py").read_text(encoding="utf-8") == Path(SUBMISSION.__file__).read_text(
        encoding="utf-8"
    )
    assert exported.predict({"data": rows()}) == expected.predict({"data": rows()})
    with pytest.raises(TaipanError, match="entry exists"):
        SUBMISSION.export(results, entry)


def test_a_run_of_another_configuration_is_refused(run: tuple[Path, Path]) -> None:
    with pytest.raises(TaipanError, match="was made with another configuration than higgsml and"):
        SUBMISSION.Model(results=run[0]).fit()
    with pytest.raises(TaipanError, match=r"fit\(\) comes before predict\(\)"):
        SUBMISSION.Model(results=run[0]).predict({"data": {}})
