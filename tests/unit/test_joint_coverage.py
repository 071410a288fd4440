"""Coverage of several parameters of interest: of each, and of all together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.coverage.truth import Truth, draw_truth, leave_out_predictions, scale_samples
from taipan.errors import TaipanError
from taipan.inference import compile_model
from taipan.inference.joint import fit_jointly
from taipan.stages.measure_coverage import measure_coverage
from taipan.stages.summarise_coverage import summarise_coverage

RATES = {"r": (100.0, 60.0), "t": (80.0, 50.0)}


def make_workspace():
    """Two counts, each b + s·μ with a μ of its own: all results are known in closed form."""
    names = ("mu_r", "mu_t")
    parameters = [{"name": name, "bounds": [[-10.0, 20.0]], "inits": [1.0]} for name in names]
    return {
        "channels": [
            {
                "name": region,
                "samples": [
                    {"name": f"b_{region}", "data": [background], "modifiers": []},
                    {
                        "name": f"s_{region}",
                        "data": [signal],
                        "modifiers": [{"name": f"mu_{region}", "type": "normfactor", "data": None}],
                    },
                ],
            }
            for region, (background, signal) in RATES.items()
        ],
        "observations": [{"name": region, "data": [150.0]} for region in RATES],
        "measurements": [
            {"name": name, "config": {"poi": name, "parameters": parameters}} for name in names
        ],
        "version": "1.0.0",
    }


def test_rise_at_the_truth_is_that_of_both_counts():
    model = compile_model(make_workspace())
    data = np.array([[170.0, 120.0], [150.0, 140.0]])
    truths = np.array([[1.0, 1.0], [0.5, 2.0]])
    found = fit_jointly(model, data, ["mu_r", "mu_t"], truths)
    background, signal = (np.array([RATES[name][i] for name in ("r", "t")]) for i in (0, 1))
    np.testing.assert_allclose(found.estimates, (data - background) / signal, rtol=1e-7)
    rates = background + signal * truths
    rise = 2.0 * (rates - data + data * np.log(data / rates)).sum(axis=1)
    np.testing.assert_allclose(found.rises, rise, rtol=1e-7)
    inside = rise <= chi2.ppf(0.6827, 2)  # -2·ln(1 - 0.6827) = 2.30
    assert found.coverage(0.6827) == inside.mean()


def summarise(folder: Path, *, shift: float = 0.0, n: int = 400) -> dict:
    rng = np.random.default_rng(5)
    truths = [draw_truth({}, (0.0, 3.0), rng, others={"mu_t": (0.5, 2.0)}) for _ in range(n)]
    assert all(0.5 <= truth.others["mu_t"] <= 2.0 for truth in truths)
    counts = [
        {
            "r": [int(rng.poisson(100.0 + 60.0 * truth.mu))],
            "t": [int(rng.poisson(80.0 + 50.0 * (truth.others["mu_t"] + shift)))],
        }
        for truth in truths
    ]
    listed = [
        {"mu": truth.mu, "others": truth.others, "pulls": {}, "factors": {}} for truth in truths
    ]
    batch = {"truths": listed, "counts": counts, "contents": [{} for _ in truths]}
    write_json(folder / "0.json", batch)
    write_json(folder / "record.json", {"treatment": {"parameters": {}}})
    write_json(folder / "workspace.json", make_workspace())
    figures = {"coverage": {kind: folder / f"c.{kind}" for kind in ("pdf", "png", "json")}}
    summarise_coverage(
        str(folder / "workspace.json"),
        str(folder / "record.json"),
        [str(folder / "0.json")],
        str(folder / "report.json"),
        figures,
    )
    return dict(read_json(folder / "report.json"))


def test_each_parameter_and_both_together_cover(tmp_path: Path):
    found = summarise(tmp_path)
    assert found["passed"]
    assert list(found["others"]) == ["mu_t"]
    assert abs(found["others"]["mu_t"]["bias"][0]) < 3.0 * found["others"]["mu_t"]["bias"][1]
    assert found["joint"]["names"] == ["mu_r", "mu_t"]
    assert abs(found["joint"]["fraction"] - 0.6827) < 2.0 * np.sqrt(0.6827 * 0.3173 / 400)
    measure_coverage(str(tmp_path / "report.json"))


def test_second_parameter_that_is_biased_is_found(tmp_path: Path):
    found = summarise(tmp_path, shift=0.5)
    assert all(item["passed"] for item in found["intervals"])
    assert not found["passed"]
    with pytest.raises(TaipanError, match=r"mu_t, 68\.27 %.*mu_r and mu_t together, 68\.27 %"):
        measure_coverage(str(tmp_path / "report.json"))


def test_truth_scales_the_samples_of_each_parameter():
    samples = {
        "A": {"role": "signal", "datasets": ["a"]},
        "B": {"role": "signal", "datasets": ["b"]},
        "Z": {"datasets": ["z"]},
        "W": {"datasets": ["w"]},
    }
    predicted = {"value": 5.0, "source": "by hand"}
    interests = {
        "kappa": {},
        "sigma": {"samples": ["Z"], "cross_section": predicted, "of_prediction": ["theory"]},
    }
    config = Config.from_plain(
        {
            "samples": samples,
            "fit": {
                "parameters_of_interest": interests,
                "scale": {"A": "kappa**2", "B": "1 + kappa"},
            },
            "systematics": {
                "theory": {"kind": "rate", "size": 0.1, "samples": ["Z", "W"]},
                "lumi": {"kind": "rate", "size": 0.1, "samples": ["Z", "W"]},
            },
        }
    )
    truth = scale_samples(Truth(3.0, {}, {}, {"sigma": 0.5}), config)
    assert truth.scales == {"A": 9.0, "B": 4.0, "Z": 0.5}
    acting = leave_out_predictions(config).systematics
    assert acting["theory"].samples == ["W"]
    assert acting["lumi"].samples == ["Z", "W"]
