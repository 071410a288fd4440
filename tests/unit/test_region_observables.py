"""Fitted regions with an observable of their own: model, figures, pseudo-data, chosen bins."""

from __future__ import annotations

from typing import Any

import hist
import numpy as np
import pytest

from taipan.config.model import Config
from taipan.config.sections.observables import Observable
from taipan.coverage.bins import FitBins
from taipan.errors import TaipanError
from taipan.inference import compile_model, fit
from taipan.likelihood import LikelihoodError, build_workspace
from taipan.likelihood.workspace import build_fine_workspace
from taipan.plotting.fit import fit_figure, fit_numbers
from taipan.plotting.systematic_numbers import FittedModel, systematic_numbers
from taipan.plotting.systematics import systematic_figure
from tests.synthetic_templates import EDGES, TRANSFER, make_config, make_histogram, settings

MASS_EDGES = [0.0, 40.0, 90.0, 300.0]
# bins of the score that fall into each bin of the mass
GROUPS = ((0, 5), (5, 9), (9, 13))
MASS = Observable(label="Mass", unit="GeV", binning=MASS_EDGES)
SCORE = Observable(label="Score", binning=EDGES)
HEADER = {"label": "Toy", "luminosity": 1.0, "energy": None}


def mass_histogram(source: hist.Hist) -> hist.Hist:
    """The same events in another observable: bins of the score are added in groups."""
    found = hist.Hist(
        *source.axes[:3],
        hist.axis.Variable(MASS_EDGES, name="mass"),
        storage=hist.storage.Weight(),
    )
    for field in ("value", "variance"):
        for column, (low, high) in enumerate(GROUPS):
            content = source.view()[field][..., low:high].sum(axis=-1)
            found.view()[field][..., column] = content
    return found


def config_with(**regions: str) -> Config:
    content = settings()
    chosen = {
        name: {**item, **({"observable": regions[name]} if name in regions else {})}
        for name, item in content["regions"].items()
    }
    observables = {"nn_score": SCORE.model_dump(), "mass": MASS.model_dump()}
    return make_config(regions=chosen, observables=observables)


def build(**regions: str) -> tuple[dict[str, Any], dict[str, Any]]:
    templates = make_histogram()
    others = {"nn_score": templates, "mass": mass_histogram(templates)}
    return build_workspace(templates, config_with(**regions), "nn_score", TRANSFER, others)


def channel(workspace: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [item for item in workspace["channels"] if item["name"] == name]
    return {item["name"]: item for item in found["samples"]}


def test_each_region_is_fitted_in_its_own_observable() -> None:
    workspace, record = build(w_control="mass")
    plain, _ = build()
    binned, single = channel(workspace, "w_control"), channel(plain, "w_control")
    assert channel(workspace, "signal") == channel(plain, "signal")
    assert record["regions"]["w_control"]["edges_after"] == MASS_EDGES
    assert record["regions"]["w_control"]["observable"] == "mass"
    assert "observable" not in record["regions"]["signal"]
    for name, sample in binned.items():
        assert len(sample["data"]) == 3, name
        assert sum(sample["data"]) == pytest.approx(single[name]["data"][0], rel=1e-12)
    mass = mass_histogram(make_histogram())
    expected = mass[{"process": "W", "region": "w_control", "variation": "nominal"}].values()
    assert binned["W"]["data"] == pytest.approx(expected, rel=1e-12)
    observed = {item["name"]: item["data"] for item in workspace["observations"]}
    assert len(observed["w_control"]) == 3
    # its shapes enter: a variation tilts the mass
    kinds = {(m["name"], m["type"]) for m in binned["W"]["modifiers"]}
    assert ("jet_energy_scale", "histosys") in kinds
    assert ("jet_energy_scale", "normsys") in kinds


def test_model_with_two_observables_is_fitted() -> None:
    sigmas = []
    for regions in ({}, {"w_control": "mass"}):
        model = compile_model(build(**regions)[0])
        result = fit(model, model.observed)
        position = list(model.parameters.names).index("mu")
        # the data are the rounded expectation
        assert result.values[position] == pytest.approx(1.0, abs=0.05)
        sigmas.append(result.sigma[position])
    assert 0.5 * sigmas[0] < sigmas[1] < sigmas[0]  # the shape of W is measured besides


def test_signal_region_may_be_a_single_bin_and_the_control_region_binned() -> None:
    workspace, record = build(signal="yield", w_control="nn_score")
    assert len(channel(workspace, "signal")["W"]["data"]) == 1
    assert len(channel(workspace, "w_control")["W"]["data"]) > 5
    assert record["regions"]["signal"]["observable"] == "yield"


def test_observable_without_templates_is_named() -> None:
    with pytest.raises(LikelihoodError, match=r"regions.w_control.observable: no templates of"):
        build_workspace(make_histogram(), config_with(w_control="mass"), "nn_score", TRANSFER, {})


def test_bins_are_chosen_beside_a_region_with_its_own() -> None:
    templates = make_histogram()
    others = {"mass": mass_histogram(templates)}
    config = config_with(w_control="mass")
    workspace = build_fine_workspace(templates, config, "nn_score", TRANSFER, others)
    assert len(channel(workspace, "signal")["W"]["data"]) == len(EDGES) - 1
    assert len(channel(workspace, "w_control")["W"]["data"]) == 3


def test_fit_is_drawn_on_the_axis_of_each_region() -> None:
    part = {
        "mu_hat": 1.0,
        "sigma": 0.5,
        "prefit": {
            name: {
                "edges": edges,
                "data": [10.0] * (len(edges) - 1),
                "total": [10.0] * (len(edges) - 1),
                "total_sigma": [1.0] * (len(edges) - 1),
                "samples": {"W": [10.0] * (len(edges) - 1)},
            }
            for name, edges in (("signal", [0.0, 0.5, 1.0]), ("w_control", MASS_EDGES))
        },
    }
    result = {"observable": "nn_score", "poi": "mu", "observed": part}
    config = config_with(w_control="mass")
    numbers = fit_numbers(
        result, "prefit", SCORE, config.samples, config.regions, HEADER, config.observables
    )
    assert [panel["label"] for panel in numbers["panels"]] == ["Score", "Mass"]
    figure = fit_figure(numbers)
    assert "Mass (GeV)" in [axes.get_xlabel() for axes in figure.axes]


def test_systematics_are_drawn_on_the_axis_of_each_region() -> None:
    templates = make_histogram()
    mass = mass_histogram(templates)
    config = config_with(w_control="mass")
    workspace, record = build(w_control="mass")
    arguments = (templates, ("nn_score", SCORE), config.samples, config.regions)
    model = FittedModel(workspace, record)
    others = {"mass": (mass, MASS)}
    numbers = systematic_numbers(*arguments, config.systematics, HEADER, model, others)
    assert numbers["control"] == []
    assert numbers["axes"] == {"w_control": {"label": "Mass", "unit": "GeV", "edges": MASS_EDGES}}
    (panel,) = [
        item
        for item in numbers["panels"]
        if (item["systematic"], item["region"], item["class"])
        == ("jet_energy_scale", "w_control", "background")
    ]
    assert panel["edges"] == MASS_EDGES
    assert len(panel["up"]) == len(panel["fitted"]["up"]) == 3
    labels = {axes.get_xlabel() for axes in systematic_figure(numbers).axes}
    assert {"Score", "Mass (GeV)"} <= labels
    with pytest.raises(TaipanError, match="regions.w_control.observable: 'mass' has no histogram"):
        systematic_numbers(*arguments, config.systematics, HEADER, model)


def test_regions_that_are_all_single_bins_have_a_column_each() -> None:
    workspace, record = build(signal="yield")
    config = config_with(signal="yield")
    numbers = systematic_numbers(
        make_histogram(),
        ("nn_score", SCORE),
        config.samples,
        config.regions,
        config.systematics,
        HEADER,
        FittedModel(workspace, record),
    )
    assert numbers["control"] == []
    assert {len(panel["nominal"]) for panel in numbers["panels"]} == {1}
    assert systematic_figure(numbers).axes


def test_pseudo_data_know_the_observable_of_each_region() -> None:
    edges = {"a": np.array([0.0, 0.5, 1.0]), "b": np.array(MASS_EDGES), "c": np.array([0.0, 1.0])}
    binning = FitBins("nn_score", edges, frozenset(["c"]), {"b": "mass"})
    assert binning.observables() == ["nn_score", "mass"]
    assert binning.find("b", np.array([10.0, 50.0, 1000.0])).tolist() == [0, 1, 2]
