from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taipan.columns.identity import assign_folds
from taipan.errors import TaipanError
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.standardisation import standardisation

FOLDS = 3


def make_set(n: int = 300, folds: int = FOLDS) -> TrainingSet:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, n)
    features = generator.normal(50.0, 10.0, (n, 3)).astype(np.float32)
    features[::4, 2] = np.nan
    weights = np.where(labels == 1, 0.01, 0.8) * np.where(generator.random(n) < 0.2, -1, 1)
    identifiers = generator.integers(0, 2**63, n).astype(np.uint64)
    fold = (identifiers % np.uint64(folds)).astype(np.int64)
    samples = np.where(labels == 1, "ggH", "ZTT")
    for array in (features, labels, weights, fold, samples, identifiers):
        array.setflags(write=False)
    return TrainingSet(
        features,
        ("pt_1", "m_vis", "jpt_1"),
        labels,
        weights,
        fold,
        samples,
        identifiers,
        (False, False, True),
    )


def changed(name: str, index: object, value: object) -> TrainingSet:
    good = make_set()
    array = getattr(good, name).copy()
    array[index] = value
    return replace(good, **{name: array})


def test_good_set_is_accepted() -> None:
    make_set().validate(FOLDS)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (changed("features", (5, 0), np.inf), r"feature 'pt_1' of event 5 is inf"),
        (changed("features", (7, 1), np.nan), r"feature 'm_vis' of event 7 is NaN, but may not"),
        (changed("features", (slice(None), 1), 91.2), r"feature 'm_vis' is constant \(91\.2\)"),
        (changed("features", (slice(None), 2), np.nan), r"feature 'jpt_1' is missing in every"),
        (changed("folds", 11, 3), r"fold of event 11 is 3, allowed are 0 to 2"),
        (changed("folds", 11, -1), r"fold of event 11 is -1"),
        (changed("labels", 4, 2), r"label of event 4 is 2, allowed are 0 to 1"),
        (changed("weights", 9, np.nan), r"weight of event 9 is nan"),
        (replace(make_set(), names=("a", "b", "a")), r"feature 'a' is listed twice"),
        (replace(make_set(), names=("a", "b")), r"shape \(300, 3\), expected \(300, 2\)"),
        (replace(make_set(), may_be_missing=(True,)), r"1 flags for 3 features"),
        (
            replace(make_set(), features=np.ones((300, 3))),
            r"features are float64, not float32",
        ),
        (replace(make_set(), weights=np.ones(3)), r"weights has shape \(3,\), expected \(300,\)"),
    ],
)
def test_errors_name_what_is_wrong(bad: TrainingSet, message: str) -> None:
    with pytest.raises(TaipanError, match=message):
        bad.validate(FOLDS)


def test_class_without_events_in_a_fold_is_named() -> None:
    good = make_set()
    labels = np.where(good.folds == 1, 0, good.labels)
    with pytest.raises(TaipanError, match="no signal event in fold 1"):
        replace(good, labels=labels).validate(FOLDS)


def test_class_with_negative_sum_in_a_fold_is_named() -> None:
    good = make_set()
    chosen = (good.folds == 2) & (good.labels == 0)
    weights = np.where(chosen, -1.0, good.weights)
    message = f"background in fold 2 is -{chosen.sum()} \\({chosen.sum()} events\\)"
    with pytest.raises(TaipanError, match=message):
        replace(good, weights=weights).validate(FOLDS)


def test_fewer_events_than_folds() -> None:
    with pytest.raises(TaipanError, match="10 events for 20 folds"):
        make_set(10).validate(20)


def test_training_weights_balance_the_classes_and_keep_signs() -> None:
    events = make_set()
    weights = events.training_weights()
    for label in (0, 1):
        assert weights[events.labels == label].sum() == pytest.approx(150.0, rel=1e-12)
    np.testing.assert_array_equal(np.sign(weights), np.sign(events.weights))
    ratio = weights / events.weights
    assert np.ptp(ratio[events.labels == 1]) < 1e-12 * ratio.max()


def test_training_weights_do_not_depend_on_the_order_of_events() -> None:
    events = make_set()
    order = np.random.default_rng(1).permutation(len(events))
    size = np.random.default_rng(2).lognormal(0.0, 2.0, len(events))  # sums that round differently
    events = replace(events, weights=events.weights * size)
    permuted = replace(events, labels=events.labels[order], weights=events.weights[order])
    np.testing.assert_array_equal(permuted.training_weights(), events.training_weights()[order])


def test_training_weights_of_a_negative_class_are_refused() -> None:
    events = make_set()
    with pytest.raises(TaipanError, match="sum of weights of background is -"):
        replace(events, weights=-np.abs(events.weights)).training_weights()


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_every_network_is_blind_to_the_fold_it_is_applied_to(folds: int) -> None:
    events = make_set(3000, folds)
    for fold in range(folds):
        split = split_folds(events.folds, events.identifiers, fold, folds)
        parts = np.stack([split.training, split.validation, split.held_out])
        np.testing.assert_array_equal(parts.sum(axis=0), 1)
        np.testing.assert_array_equal(split.held_out, events.folds == fold)
        if folds > 2:
            np.testing.assert_array_equal(split.validation, events.folds == (fold + 1) % folds)


@settings(max_examples=60, deadline=None)
@given(
    identifiers=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=40, unique=True),
    n_folds=st.integers(2, 7),
    seed=st.integers(0, 2**16),
)
def test_no_event_is_trained_on_and_tested(identifiers: list[int], n_folds: int, seed: int) -> None:
    """Nor does the part that an event is in depend on the order of the file."""
    hashes = np.array(identifiers, dtype=np.uint64)
    order = np.random.default_rng(seed).permutation(len(hashes))
    folds = assign_folds(hashes, n_folds)
    np.testing.assert_array_equal(assign_folds(hashes[order], n_folds), folds[order])
    tested = np.zeros(len(hashes), dtype=int)
    for fold in range(n_folds):
        split = split_folds(folds, hashes, fold, n_folds)
        again = split_folds(folds[order], hashes[order], fold, n_folds)
        tested += split.held_out
        for part in ("training", "validation", "held_out"):
            np.testing.assert_array_equal(getattr(again, part), getattr(split, part)[order])
        assert not np.any(split.held_out & (split.training | split.validation))
        assert not np.any(split.training & split.validation)
        np.testing.assert_array_equal(split.held_out, folds == fold)
    assert np.all(tested == 1)


def test_two_folds_hold_out_a_quarter_by_identifier() -> None:
    events = make_set(20_000, 2)
    split = split_folds(events.folds, events.identifiers, 0, 2)
    share = split.validation.sum() / (events.folds == 1).sum()
    assert share == pytest.approx(0.25, abs=3 * np.sqrt(0.25 * 0.75 / 10_000))
    order = np.random.default_rng(3).permutation(len(events))
    permuted = split_folds(events.folds[order], events.identifiers[order], 0, 2)
    np.testing.assert_array_equal(permuted.validation, split.validation[order])


def test_consecutive_identifiers_are_spread_evenly() -> None:
    n = 10_000
    split = split_folds(np.ones(n, dtype=int), np.arange(n, dtype=np.uint64), 0, 2)
    for block in np.split(split.validation, 10):
        assert block.mean() == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / 1000))


def test_standardisation_measures_present_values_with_absolute_weights() -> None:
    events = make_set()
    constants = standardisation(events.features, events.weights, events.names, "fold 0")
    present = ~np.isnan(events.features[:, 2])
    values, size = events.features[present, 2].astype(float), np.abs(events.weights[present])
    mean = np.average(values, weights=size)
    sigma = np.sqrt(np.average((values - mean) ** 2, weights=size))
    assert constants.mean[2] == pytest.approx(mean, rel=1e-12)
    assert constants.inverse_sigma[2] == pytest.approx(1.0 / sigma, rel=1e-12)


def test_feature_that_is_constant_in_the_training_events_is_named() -> None:
    events = make_set()
    features = events.features.copy()
    features[:, 1] = 91.2
    with pytest.raises(TaipanError, match=r"fold 4: feature 'm_vis' is constant \(91\.2"):
        standardisation(features, events.weights, events.names, "fold 4")
