"""A catalogue without collision data: what the nominal simulation expects stands for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
from pydantic import ValidationError

from taipan.atomic import read_json, write_json
from taipan.checks.pseudo_data import check_pseudo_data
from taipan.config.load import load_catalogue, load_config, read_config
from taipan.config.sections.observables import Observable
from taipan.datasets import (
    Catalogue,
    data_datasets,
    nominal_datasets,
    total_luminosity,
    used_datasets,
)
from taipan.normalisation import Normalisation, to_dict
from taipan.plotting.style import name_data
from taipan.stages.measure_pileup import measure_pileup
from taipan.templates.combine import add_pseudo_data
from taipan.templates.empty import empty_histogram
from tests.conftest import ROOT

CITED = {"value": 3.378, "unit": "fb-1", "source": "a test"}


def filled() -> hist.Hist:
    """Two samples with 3 and 1 in the first bin, -2 and 1 in the second; 7 events of data."""
    observable = Observable(label="x", binning=[0.0, 1.0, 2.0])
    made = empty_histogram("x", observable, ["a", "b", "data"], ["r"], ["nominal", "v_up"])
    view = made.view(flow=True)
    for row, values in enumerate(([3.0, -2.0], [1.0, 1.0], [7.0, 7.0])):
        for label in (0, 1):
            view["value"][row, 0, label, 1:3] = np.array(values) * (1 + label)
            view["variance"][row, 0, label, 1:3] = 10.0
    return made


def test_data_are_the_sum_of_the_nominal_samples_with_its_poisson_variance() -> None:
    before = filled()
    after = add_pseudo_data(before, ["a", "b"])
    for field in ("value", "variance"):
        content = after.view(flow=True)[field]
        assert content[2, 0, 0].tolist() == [0.0, 4.0, 0.0, 0.0]
        assert content[:2].tolist() == before.view(flow=True)[field][:2].tolist()
        assert content[2, 0, 1].tolist() == before.view(flow=True)[field][2, 0, 1].tolist()
    assert before == filled()


def test_catalogue_has_data_or_pseudo_data() -> None:
    dataset = {"files": ["a.root"], "is_data": True}
    keys = {"name": "n", "kind": "nanoaod", "description": "d", "licence": "l"}
    with pytest.raises(ValidationError, match=r"`pseudo_data`: dataset 'D' holds data \(one of b"):
        Catalogue(**keys, pseudo_data=CITED, datasets={"D": dataset})


def test_no_dataset_of_data_is_read_and_the_luminosity_is_the_catalogues() -> None:
    config = read_config([], ROOT, analysis="agc_ttbar")
    public = load_catalogue(config.model_copy(update={"catalogue": "cms-2015-agc"}))
    simulated = load_catalogue(config)
    assert data_datasets(config, simulated) == ["pseudodata"]
    assert data_datasets(config, public) == []
    for names in (nominal_datasets, used_datasets):
        assert [n for n in names(config, simulated) if n != "pseudodata"] == names(config, public)
    assert total_luminosity(config, public) == 3.378
    assert total_luminosity(config, simulated) == config.fastsim.luminosity


def test_what_is_measured_in_data_is_refused() -> None:
    config = load_config({"training": {"adversary": {"enabled": True}}}, ROOT)
    found = [line.partition(":")[0] for line in check_pseudo_data(config)]
    assert found[0] == "samples.QCD.estimate"
    assert {"decorrelation.enabled", "training.adversary.enabled"} <= set(found)
    assert {path for path in found if path.startswith("weights.")} == {
        f"weights.{name}.measure" for name, item in config.weights.items() if item.measure
    }
    assert list(check_pseudo_data(read_config([], ROOT, analysis="agc_ttbar"))) == []


def test_without_data_the_simulation_keeps_its_vertices(tmp_path: Path) -> None:
    norm = Normalisation("ttbar", False, 1.0, 10, 10.0, 1.0)
    write_json(tmp_path / "normalisation.json", to_dict({"ttbar": norm}))
    config = read_config([], ROOT, analysis="agc_ttbar")
    assert config.pileup.enabled
    files = (str(tmp_path / name) for name in ("normalisation.json", "pileup.json"))
    measure_pileup({"ttbar": ["nowhere.parquet"]}, next(files), config, next(files))
    assert set(read_json(tmp_path / "pileup.json")["ratio"]) == {1.0}


@pytest.mark.parametrize(
    ("header", "name"), [({}, "Data"), ({"data": "Pseudo-data"}, "Pseudo-data")]
)
def test_figures_name_what_the_points_are(header: dict[str, Any], name: str) -> None:
    assert name_data(header) == name
