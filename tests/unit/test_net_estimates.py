"""Tables of a fit: what is subtracted for an estimate is part of it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from taipan.cli.main import main
from taipan.export.net_estimates import find_subtractions
from taipan.export.tables import yields_table


def sample(name: str, data: list[float], *parameters: str) -> dict[str, Any]:
    modifiers = [{"name": item, "type": "normsys", "data": None} for item in parameters]
    return {"name": name, "data": data, "modifiers": modifiers}


QCD = sample("QCD", [30.0, 10.0], "ratio", "pileup", "shape")
W = sample("W", [20.0, 5.0], "pileup", "w_norm")
W_JETS = sample("W_jets", [2.0, 2.0], "pileup", "w_norm")
SUBTRACTED = sample("W_same_sign", [-6.0, 1.0], "w_norm", "ratio")


def workspace(*samples: dict[str, Any]) -> dict[str, Any]:
    return {"channels": [{"name": "signal", "samples": [*samples]}]}


def test_subtraction_belongs_to_the_estimate_whose_parameter_its_process_has_not() -> None:
    assert find_subtractions(workspace(QCD, W, W_JETS, SUBTRACTED)) == {"W_same_sign": "QCD"}


@pytest.mark.parametrize(
    "samples",
    [
        (QCD, SUBTRACTED),  # no process of that name
        (W, SUBTRACTED),  # nothing has its parameter
        (QCD, sample("fakes", [9.0, 9.0], "ratio"), W, SUBTRACTED),  # one of two
        (QCD, W, sample("W_same_sign", [6.0, 1.0], "w_norm", "ratio")),  # adds events
        (QCD, W, sample("other", [-6.0, 1.0], "ratio")),
    ],
)
def test_sample_without_a_sure_estimate_stays_on_its_own(samples: tuple[Any, ...]) -> None:
    assert find_subtractions(workspace(*samples)) == {}


def test_table_has_net_estimates_and_no_rounding_noise() -> None:
    samples = {"QCD": [30.0, 10.0], "W": [20.0, 5.0], "W_same_sign": [-6.0, 1.0]}
    samples["empty"] = [0.3, -0.3 - 1e-15]
    region = {"samples": samples, "total": [44.0, 16.0], "sum_sigma": 2.5, "data": [40.0, 21.0]}
    assert yields_table({"prefit": {"signal": region}}, "prefit", {"W_same_sign": "QCD"}) == [
        ["sample", "signal"],
        ["QCD", "35"],
        ["W", "25"],
        ["empty", "0"],
        ["total", "60 ± 2.5"],
        ["data", "61"],
    ]


# hepdata-validator leaves the files that it has read to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_hepdata_has_the_net_estimates_of_the_tables(tmp_path: Path) -> None:
    """The submission listed `W_same_sign` with yields below zero."""
    signal = sample("S", [3.0, 4.0])
    signal["modifiers"] = [{"name": "mu", "type": "normfactor", "data": None}]
    counts = [
        {**item, "modifiers": [{**m, "data": {"hi": 1.01, "lo": 0.99}} for m in item["modifiers"]]}
        for item in (QCD, W, SUBTRACTED)
    ]
    content = {
        **workspace(signal, *counts),
        "observations": [{"name": "signal", "data": [47.0, 20.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    path, target = tmp_path / "w.json", tmp_path / "out.tar.gz"
    path.write_text(json.dumps(content))
    assert main(["fit", str(path), "--hepdata", str(target)]) == 0
    with tarfile.open(target) as archive:
        (name,) = [n for n in archive.getnames() if n.endswith("prefit_signal.yaml")]
        file = archive.extractfile(name)
        assert file is not None
        columns = yaml.safe_load(file)["dependent_variables"]
    found = {item["header"]["name"]: [v["value"] for v in item["values"]] for item in columns}
    assert "W_same_sign" not in found
    assert found["QCD"] == pytest.approx([24.0, 11.0])
    assert found["W"] == pytest.approx([20.0, 5.0])
    assert found["Total"] == pytest.approx([47.0, 20.0])
