from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taipan.likelihood.merge import (
    BinYields,
    MergeError,
    find_merging,
    merge_values,
)
from taipan.metrics import n_eff_of_sums


def counts(values, variances=None):
    values = np.array(values, dtype=float)
    variances = np.abs(values) / 10 if variances is None else np.array(variances, dtype=float)
    for array in (values, variances):
        array.setflags(write=False)
    return BinYields(values, variances)


def merging(nominal, *, minimum=10.0, **options):
    n_bins = len(next(iter(nominal.values())).values)
    return find_merging(
        "signal",
        np.arange(n_bins + 1.0).tolist(),
        nominal,
        backgrounds=[name for name in nominal if name != "H"],
        min_effective_events=minimum,
        **options,
    )


def test_usable_bins_stay_as_they_are():
    result = merging({"Z": counts([100, 50, 20]), "H": counts([1, 2, 3])})
    assert result.starts == (0, 1, 2)
    assert result.edges_after == result.edges_before
    assert result.merged == ()
    assert result.warnings == ()


def test_negative_bin_of_one_sample_is_no_reason_to_merge():
    """The total is 65 and well known; the sample is repaired."""
    result = merging({"QCD": counts([30, 20, -5, 8, 4]), "Z": counts([90, 80, 70, 60, 50])})
    assert result.starts == (0, 1, 2, 3, 4)


def test_negative_total_joins_the_neighbour_whatever_its_parts_are():
    result = merging({"QCD": counts([30, 20, -75, 8, 4]), "Z": counts([90, 80, 70, 60, 50])})
    assert result.starts == (0, 1, 3, 4)
    assert result.merged[0].reasons == ("bins 2-2: total background is -5",)


def test_negative_bin_joins_the_neighbour_towards_the_background():
    nominal = {"QCD": counts([30, 20, -5, 8, 4]), "Z": counts([90, 80, 70, 60, 50])}
    result = merging(nominal, not_negative=["QCD"])
    assert result.starts == (0, 1, 3, 4)
    assert result.edges_after == (0.0, 1.0, 3.0, 4.0, 5.0)
    (bin_,) = result.merged
    assert bin_.bins == (1, 2)
    assert (bin_.low, bin_.high) == (1.0, 3.0)
    assert bin_.reasons == ("bins 2-2: QCD is -5",)


def test_signal_that_what_is_subtracted_cancels_is_merged():
    """One γ multiplies both: 0.4 - 0.3 with an uncertainty of 0.2 is held by none."""
    nominal = {"Z": counts([100, 50, 20]), "H": counts([1.0, 0.4, 3.0], [0.01, 0.04, 0.1])}
    subtracted = {"H": counts([0.1, 0.3, 0.1]), "Z": counts([30, 20, 10])}
    result = merging(nominal, subtracted=subtracted)
    assert result.starts == (0, 2)
    (bin_,) = result.merged
    assert bin_.reasons == ("bins 1-1: signal less what is subtracted of it is 0.1",)
    assert merging(nominal).starts == (0, 1, 2)
    # an uncertainty that changes nothing is none: 0.02 beside √400 of the bin
    negligible = {"Z": counts([100, 400, 20]), "H": counts([1.0, 0.02, 3.0], [0.01, 3e-4, 0.1])}
    kept = merging(negligible, subtracted={"H": counts([0.1, 0.015, 0.1])})
    assert kept.starts == (0, 1, 2)


def test_few_effective_events_in_the_top_bin_are_completed_from_below():
    # weights of 2: n_eff is half the yield; the two highest bins have 9 together, or 10
    result = merging({"Z": counts([100, 30, 10, 8], [200, 60, 20, 16])})
    assert result.starts == (0, 1)
    result = merging({"Z": counts([100, 30, 12, 8], [200, 60, 24, 16])})
    assert result.starts == (0, 1, 2)
    assert "background n_eff is 4 < 10" in result.merged[0].reasons[0]


def test_remainder_at_the_lower_end_joins_the_last_closed_bin():
    result = merging({"Z": counts([1, 50, 40], [1, 5, 4])})
    assert result.starts == (0, 2)
    # a remainder that needs two closed bins
    nominal = {"Z": counts([90, 90, 90]), "QCD": counts([-30, 10, 40])}
    result = merging(nominal, not_negative=["QCD"])
    assert result.starts == (0,)
    assert result.warnings == ()


def test_what_merging_cannot_mend_is_a_warning():
    result = merging({"Z": counts([1, 2], [1, 2])})
    assert result.starts == (0,)
    assert result.warnings == (
        "region signal: background n_eff is 3 < 10 even with all bins merged",
    )


def test_single_bin_keeps_the_range():
    result = merging({"Z": counts([50, 60, 70])}, single_bin=True)
    assert result.starts == (0,)
    assert result.edges_after == (0.0, 3.0)


def test_region_without_events_or_background_is_an_error():
    with pytest.raises(MergeError, match="region signal: no simulated or estimated event"):
        merging({"Z": counts([0, 0], [0, 0])})
    with pytest.raises(MergeError, match=r"region signal: the total background is -1,"):
        merging({"Z": counts([2, 1]), "QCD": counts([-5, 1])})


def test_effective_events_is_the_count_for_equal_weights():
    weights = np.full(37, -0.3)
    assert n_eff_of_sums(weights.sum(), (weights**2).sum()) == pytest.approx(37, rel=1e-12)
    assert n_eff_of_sums(np.zeros(1), np.zeros(1)) == 0.0


def test_record_is_json():
    nominal = {"QCD": counts([30, -5, 8]), "Z": counts([90, 80, 70])}
    result = merging(nominal, not_negative=["QCD"])
    record = json.loads(json.dumps(result.to_json()))
    assert record["region"] == "signal"
    assert record["edges_before"] == [0.0, 1.0, 2.0, 3.0]
    assert record["edges_after"] == [0.0, 2.0, 3.0]
    assert record["merged"] == [
        {"bins": [0, 1], "low": 0.0, "high": 2.0, "reasons": ["bins 1-1: QCD is -5"]}
    ]


@given(
    st.lists(
        st.tuples(st.floats(-50, 200), st.floats(0.1, 100), st.floats(0, 300), st.floats(0.1, 100)),
        min_size=1,
        max_size=20,
    ).filter(lambda rows: sum(row[0] for row in rows) >= 0 and sum(row[2] for row in rows) > 1)
)
def test_merged_bins_meet_every_criterion_and_conserve_yields(rows):
    columns = np.array(rows).T
    nominal = {"QCD": counts(columns[0], columns[1]), "Z": counts(columns[2], columns[3])}
    result = merging(nominal, not_negative=["QCD"])
    merged = {
        name: BinYields(
            merge_values(c.values, result.starts), merge_values(c.variances, result.starts)
        )
        for name, c in nominal.items()
    }
    for name, c in nominal.items():
        assert merged[name].values.sum() == pytest.approx(c.values.sum(), rel=1e-12, abs=1e-12)
        assert merged[name].variances.sum() == pytest.approx(c.variances.sum(), rel=1e-12)
    total = sum(c.values for c in merged.values())
    n_eff = n_eff_of_sums(total, sum(c.variances for c in merged.values()))
    if not result.warnings:
        assert (merged["QCD"].values >= 0).all()
        assert (total > 0).all()
        assert (n_eff >= 10).all()
    else:
        assert len(result.starts) == 1
