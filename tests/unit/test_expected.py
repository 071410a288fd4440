"""Samples without a positive yield are found before any network is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.events.expected import SampleSums, check_samples
from taipan.events.load import DatasetEvents, select_fold
from taipan.events.selection import belongs_to
from taipan.events.weights import EventWeights
from tests.made_up_estimates import same_sign

REGIONS = {
    "signal": Region(cut="m < 10", role="signal"),
    "control": Region(cut="m > 10 and m < 20", role="control"),
    "ss": Region(cut="m > 20"),
}
SAMPLES = {
    "sig": Sample(role="signal", datasets=["S"]),
    "Z": Sample(datasets=["Z"]),
    "W": Sample(datasets=["W"]),
    "QCD": Sample(estimate=same_sign(signal="ss", control="ss")),
}
PLACES = {"signal": 5.0, "control": 15.0, "ss": 25.0}
WEIGHTS: dict[str, dict[str, list[float]]] = {
    "S": {"signal": [1.0, 1.0], "ss": [1.0]},
    "Z": {"signal": [2.0], "control": [3.0, -1.0], "ss": [1.0]},
    "W": {"signal": [1.0], "control": [4.0]},
}


def gather(
    changes: dict[str, dict[str, list[float]]] | None = None,
    *,
    samples: dict[str, Any] | None = None,
    data: float = 5.0,
) -> SampleSums:
    """Sum up events with the given weights."""
    defined = {
        name: item.model_copy(update=(samples or {}).get(name, {}))
        for name, item in SAMPLES.items()
    }
    sums = SampleSums(defined, REGIONS)
    for name, content in {**WEIGHTS, **(changes or {})}.items():
        masses = np.concatenate([np.full(len(w), PLACES[r]) for r, w in content.items()])
        weights = np.concatenate([np.array(w) for w in content.values()])
        events = DatasetEvents(name, False, {}, EventWeights(weights, {}), np.zeros(len(weights)))
        sums.add(events, {"m": masses, "passes": np.ones(len(masses), bool)})
    events = DatasetEvents("D", True, {}, None, np.zeros(3, int))
    sums.add(events, {"m": np.array([data, 15.0, 25.0]), "passes": np.ones(3, bool)})
    return sums


def problem(sums: SampleSums) -> str:
    with pytest.raises(TaipanError) as error:
        check_samples(sums)
    return str(error.value)


def test_sample_without_events_in_a_region_is_left_out_with_a_warning() -> None:
    sums = gather()
    total = sums.of("Z", "control")
    assert (total.events, total.sumw, total.sumw2) == (2, 2.0, 10.0)
    assert check_samples(sums) == [
        "sample sig has no event in region control and is left out there"
    ]


def test_sample_without_positive_weight_is_named_with_a_remedy() -> None:
    """It once ended the run after the training, and nothing said what to do."""
    sums = gather({"W": {"signal": [1.0], "control": [1.0, -1.0]}})
    assert problem(sums) == (
        "sample W, region control: Σw = 0 ± 1.4 of 2 events; the yield of a simulated process must "
        "be positive; confine it to where it counts (samples.W.regions: [signal])"
    )
    assert len(check_samples(gather({"W": {"signal": [1.0]}}))) == 2
    confined = {"W": {"regions": ["signal"]}}
    changes = {"W": {"signal": [1.0], "control": [-1.0]}}
    assert len(check_samples(gather(changes, samples=confined))) == 1
    assert "take the sample out, or use more events" in problem(
        gather({"W": {"signal": [-1.0], "control": [-2.0]}})
    )


def test_every_problem_has_a_line() -> None:
    text = problem(gather({"W": {"signal": [-1.0]}, "Z": {"signal": [1.0], "control": [-1.0]}}))
    assert [line.split(":")[0] for line in text.splitlines()] == [
        "sample Z, region control",
        "sample W, region signal",
    ]


def test_sample_without_any_event_is_refused() -> None:
    assert problem(gather({"W": {"ss": [1.0]}})) == (
        "samples.W.datasets: ['W']: no event is in a region that is fitted (signal, control); "
        "change it, or take the sample out"
    )
    none = {"W": {"select": "m > 30"}}
    assert "samples.W.select: 'm > 30': no event is in" in problem(gather(samples=none))


def test_signal_must_be_in_a_signal_region() -> None:
    assert problem(gather({"S": {"control": [1.0]}})) == (
        "samples: no event of a signal sample (sig) is in a region with role signal (signal); "
        "there is nothing to fit"
    )


def test_region_without_any_event_is_named() -> None:
    empty = {"S": {"control": [1.0]}, "Z": {"control": [1.0]}, "W": {"control": [1.0]}}
    text = problem(gather(empty, data=15.0))
    assert text == "regions.signal.cut: 'm < 10': no event of any process passes it"


def test_dataset_without_events_has_nothing_to_divide() -> None:
    nothing = np.zeros(0)
    events = DatasetEvents("W", False, {}, EventWeights(nothing, {}), nothing.astype(int))
    for inside in (True, False):
        assert select_fold(events, 0, inside=inside).weights.nominal.tolist() == []  # type: ignore[union-attr]


def test_confined_sample_counts_in_estimates_everywhere() -> None:
    sample = SAMPLES["W"].model_copy(update={"regions": ["signal"]})
    assert [belongs_to(sample, name, REGIONS) for name in REGIONS] == [True, False, True]
    assert all(belongs_to(SAMPLES["W"], name, REGIONS) for name in REGIONS)
