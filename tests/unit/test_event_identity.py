from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from taipan.columns.identity import assign_folds, hash_columns, hash_event_numbers


def test_fold_depends_on_the_event_alone() -> None:
    rng = np.random.default_rng(1)
    run, lumi = rng.integers(1, 300_000, (2, 5000))
    event = rng.integers(1, 2**40, 5000)
    order = rng.permutation(5000)
    folds = assign_folds(hash_event_numbers(run, lumi, event), 5)
    shuffled = assign_folds(hash_event_numbers(run[order], lumi[order], event[order]), 5)
    assert np.array_equal(folds[order], shuffled)


def test_folds_are_equally_filled_for_consecutive_events() -> None:
    event = np.arange(100_000)
    folds = assign_folds(hash_event_numbers(np.ones_like(event), np.ones_like(event), event), 5)
    counts = np.bincount(folds, minlength=5)
    # multinomial: σ = √(N·0.2·0.8) = 126
    assert np.abs(counts - 20_000).max() < 5 * 126


def test_hash_is_stable_across_versions() -> None:
    """The fold of an event is part of every published model: the hash must never change."""
    value = hash_event_numbers(np.array([1]), np.array([2]), np.array([3]))
    assert int(value[0]) == 15020427595393229491


def test_hash_of_columns_ignores_storage_type_and_signed_zero() -> None:
    single = np.array([0.0, 1.5, -3.25], dtype=np.float32)
    double = np.array([-0.0, 1.5, -3.25], dtype=np.float64)
    assert np.array_equal(hash_columns([single]), hash_columns([double]))


@given(st.integers(0, 2**63), st.integers(0, 2**32 - 1), st.integers(2, 20))
def test_every_event_has_one_fold_in_range(event: int, run: int, folds: int) -> None:
    value = hash_event_numbers(
        np.array([run], dtype=np.uint64), np.array([1]), np.array([event], dtype=np.uint64)
    )
    assert 0 <= assign_folds(value, folds)[0] < folds


def test_hash_of_columns_tells_floats_apart_that_round_alike() -> None:
    """By their bits: 0.25 and 0.5 are other events, as 1 and -1 are."""
    values = np.array([0.25, 0.5, 0.75, 1.0, -1.0], dtype=np.float32)
    assert len(set(hash_columns([values]).tolist())) == 5


def test_fold_is_the_remainder_of_the_hash() -> None:
    hashes = [0, 1, 7, 2**32 + 1, 2**63 + 5, 2**64 - 1]
    found = assign_folds(np.array(hashes, dtype=np.uint64), 3).tolist()
    assert found == [value % 3 for value in hashes]
