"""Normalisation: σ·B·ε·L / Σ genWeight, from the catalogue and never from the files' weights."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from taipan.datasets import Catalogue, Dataset, event_scale, plan_chunks
from taipan.errors import TaipanError
from taipan.normalisation import normalise
from taipan.skim.cutflow import Cut, Cutflow, merge_cutflows

ROOT = Path(__file__).parents[2]


def catalogue(name: str) -> Catalogue:
    text = (ROOT / f"config/analyses/htautau/datasets/{name}.yaml").read_text(encoding="utf-8")
    return Catalogue.model_validate(yaml.safe_load(text))


def flow(dataset: str, events: int, sumw: float | None = None) -> Cutflow:
    total = float(events) if sumw is None else sumw
    return Cutflow(dataset, (Cut("all", events, total, float(events)), Cut("pair", 1, 1.0, 1.0)))


def test_real_skims_signal_is_normalised_with_its_branching_ratio() -> None:
    """The files' own weight branch is 1 / 0.0632 = 16 times too large for the signal."""
    skims = catalogue("cms-2012-skims")
    expected = {
        # σ (pb) × B × L (pb⁻¹) / generated events
        "GluGluToHToTauTau": 19.6 * 0.0632 * 1146.7 / 47_696,
        "VBF_HToTauTau": 1.55 * 0.0632 * 1146.7 / 49_165,
        "DYJetsToLL": 3503.7 * 1146.7 / 3_045_887,
        "TTbar": 225.2 * 1146.7 / 642_310,
    }
    flows = {name: [flow(name, 800)] for name in expected}
    found, _ = normalise(skims, flows, dict.fromkeys(flows), luminosity=1.1467)
    for name, scale in expected.items():
        assert found[name].scale == pytest.approx(scale, rel=1e-9)
    # 813 and 1015 skimmed events: 16 expected signal events in the inclusive skim, not 420
    total = 813 * found["GluGluToHToTauTau"].scale + 1015 * found["VBF_HToTauTau"].scale
    assert total == pytest.approx(26.5, rel=0.02)


def test_luminosity_of_the_real_skims_is_a_tenth() -> None:
    skims = catalogue("cms-2012-skims")
    data = [item.luminosity for item in skims.datasets.values() if item.is_data]
    assert sum(item.value for item in data if item) == pytest.approx(1.1467, rel=1e-4)


def test_scale_uses_signed_weights() -> None:
    dataset = Dataset.model_validate(
        {"files": ["a"], "is_data": False, "cross_section": {"value": 10.0, "source": "test"}}
    )
    assert event_scale(dataset, 2.0, 500.0) == pytest.approx(10.0 * 2000.0 / 500.0)
    for sumw in (0.0, -3.0, float("nan")):
        with pytest.raises(TaipanError, match="must be positive"):
            event_scale(dataset, 2.0, sumw)


def test_chunks_are_counted_once() -> None:
    reduced = catalogue("cms-2012-reduced")
    name = "VBF_HToTauTau"
    halves = [flow(name, 20_000), flow(name, 29_165)]
    found, merged = normalise(reduced, {name: halves}, {name: 49_165}, 1.1467)
    assert found[name].generated_events == 49_165
    assert merged[name].cuts[0].sumw == 49_165.0
    with pytest.raises(TaipanError, match="69165 events read, 49165 expected"):
        normalise(reduced, {name: [*halves, halves[0]]}, {name: 49_165}, 1.1467)
    with pytest.raises(TaipanError, match="20000 events read, 49165 expected"):
        normalise(reduced, {name: halves[:1]}, {name: 49_165}, 1.1467)


def test_cutflows_of_different_datasets_do_not_add() -> None:
    with pytest.raises(TaipanError, match="'a' and 'b' cannot be added"):
        merge_cutflows([flow("a", 1), flow("b", 1)])


@pytest.mark.parametrize(("events", "size", "number"), [(10, 10, 1), (11, 10, 2), (1000, 7, 143)])
def test_chunk_plan_covers_every_entry_once(events: int, size: int, number: int) -> None:
    dataset = catalogue("cms-2012-reduced").dataset("TTbar")
    plan = plan_chunks(dataset, events, size)
    assert len(plan) == number
    assert plan[0].start == 0
    assert plan[-1].stop is None
    for this, following in itertools.pairwise(plan):
        assert this.stop == following.start
        assert following.start - this.start <= size
