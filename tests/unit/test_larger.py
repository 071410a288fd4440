"""The larger simulation that pseudo-data are drawn from: a run within the run."""

from __future__ import annotations

from typing import Any

import pytest

from taipan.checks.eras import check_eras
from taipan.checks.larger import check_larger_run
from taipan.config.eras import load_eras
from taipan.config.larger import load_larger, split_larger
from taipan.config.load import load_catalogue, load_config
from taipan.config.model import Config
from taipan.config.pretraining import load_source, split_source
from taipan.errors import TaipanError
from taipan.seeds import derive_seed
from tests.conftest import ROOT

MORE = {"fastsim": {"events": {"DYJetsToLL": 480_000}}}


def load(simulation: Any, **more: Any) -> tuple[Config, Config | None]:
    """Configurations of a run and of its larger simulation."""
    keys = {**more, "coverage": {"simulation": simulation}}
    config = load_config(keys, ROOT)
    return config, load_larger(split_larger(keys, config), ROOT)


@pytest.mark.parametrize("nothing", [{}, None])
def test_without_keys_the_events_are_those_of_the_run(nothing: Any) -> None:
    assert load(nothing)[1] is None


def test_larger_simulation_is_a_run_of_its_own() -> None:
    config, larger = load(MORE, fastsim={"events": {"TTbar": 900}, "luminosity": 3.0})
    assert larger is not None
    assert larger.results == "results/htautau/larger"
    assert larger.seed == derive_seed(config.seed, "coverage simulation") != config.seed
    assert larger.catalogue == config.catalogue
    assert larger.fastsim.events == {"TTbar": 900, "DYJetsToLL": 480_000}
    assert larger.fastsim.luminosity == 3.0
    assert larger.features == config.features
    check_larger_run(config, load_catalogue(config), larger)
    own = load({**MORE, "seed": 5})[1]
    assert own is not None
    assert own.seed == 5


def test_neither_run_within_has_another_within_it() -> None:
    """They would start each other without end."""
    keys = {
        "coverage": {"simulation": MORE},
        "training": {"pretrain": {"catalogue": "fastsim"}},
        "networks": {"plain": {"pretrain": {"catalogue": None}}, "tuned": {}},
        "tuning": {"enabled": False},
    }
    keys["catalogue"] = "cms-2012-skims"
    config = load_config(keys, ROOT)
    larger_keys, source_keys = split_larger(keys, config), split_source(keys, ROOT)
    larger, source = load_larger(larger_keys, ROOT), load_source(source_keys, ROOT)
    assert larger is not None
    assert source is not None
    assert len({config.seed, larger.seed, source.seed}) == 3
    for inner, inner_keys in ((larger, larger_keys), (source, source_keys)):
        assert not inner.coverage.simulation
        assert not any(item.pretrain.enabled for item in inner.networks.values())
        assert split_larger(inner_keys, inner) == split_source(inner_keys, ROOT) == {}


@pytest.mark.parametrize(
    ("simulation", "more", "message"),
    [
        (
            {"features": ["pt_1"]},
            {},
            "coverage.simulation.features: the larger simulation has that of the run (catalogue, "
            "data, fastsim, files, seed, skims)",
        ),
        ({"coverage": MORE}, {}, "coverage.simulation.coverage: the larger simulation has that"),
        (
            {"fastsim": {"events": {"DYJetsToLL": -1}}},
            {},
            "coverage.simulation.fastsim.events.DYJetsToLL: -1 is not allowed",
        ),
        (
            {"fastsim": {"events": {"Nothing": 5}}},
            {},
            "coverage.simulation.fastsim.events.Nothing: 'Nothing' is not a simulated",
        ),
        (
            {"catalogue": "fastsin"},
            {},
            "coverage.simulation.catalogue: 'fastsin' is not a file of ",
        ),
        ({"seed": 7}, {"seed": 7}, "coverage.simulation.seed: 7 is the seed of the run"),
        (
            {"fastsim": {"luminosity": 4.0}},
            {"fastsim": {"luminosity": 3.0}},
            "coverage.simulation.fastsim.luminosity: the luminosity is 4 fb⁻¹, that of the run 3 ",
        ),
        (
            {"files": "x"},
            {"catalogue": "cms-2012-skims", "skims": "skims"},
            "coverage.simulation.catalogue: 'cms-2012-skims' is the catalogue of the run itself, "
            "whose events are in its templates",
        ),
    ],
)
def test_bad_simulation_is_one_line(simulation: Any, more: dict[str, Any], message: str) -> None:
    def check() -> None:
        config, larger = load(simulation, **more)
        assert larger is not None
        check_larger_run(config, load_catalogue(config), larger)

    with pytest.raises(TaipanError) as error:
        check()
    first, *others = str(error.value).splitlines()
    assert first.startswith(message)
    assert [line for line in others if not line.startswith("coverage.simulation.skims: ")] == []


def test_no_larger_simulation_in_several_eras() -> None:
    keys = {
        "analysis": "zmumu",
        "eras": {"A": {}, "B": {}},
        "coverage": {"simulation": {"seed": 3}},
    }
    assert split_larger(keys, load_config(keys, ROOT)) == {}
    configs = load_eras(keys, ROOT)
    lines = check_eras({name: (one, load_catalogue(one)) for name, one in configs.items()})
    found = [line for line in lines if "coverage" in line]
    assert found[0].startswith("eras.A.coverage.simulation: a run of several eras has no larger")
