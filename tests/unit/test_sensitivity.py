"""Training on the expected uncertainty: bins, Fisher information, events, engine."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pyhf
import pytest
import tensorflow as tf
from benchmarks.sensitivity_toys import (
    INFERNO,
    PUBLISHED,
    TWO_GAUSSIANS,
    Sample,
    analytic_sigma,
    choose_edges,
    draw_inferno,
    draw_two_gaussians,
    inferno_logit,
    sigma_in,
    toy_settings,
    train_toy,
    two_gaussians_logit,
)

from taipan.errors import TaipanError
from taipan.likelihood.asimov import expected_sigma
from taipan.nn.sensitivity.binned import balanced_edges, memberships
from taipan.nn.sensitivity.engine import divide_events
from taipan.nn.sensitivity.fisher import fill_soft_bins, profiled_variance
from taipan.nn.sensitivity.linear import LinearEvents
from taipan.nn.sensitivity.loaded import LoadedEvents, load
from taipan.nn.sensitivity.losses import cross_entropy, log_sigma, shape_change

EDGES = np.array([-2.0, -0.5, 0.0, 1.5], np.float32)


def toy(size: int = 4000, seed: int = 1, *, noise: bool = False) -> LinearEvents:
    """Two Gaussians; with `noise` the statistics of the simulation count."""
    sample = draw_two_gaussians(size, np.random.default_rng(seed))
    events = TWO_GAUSSIANS.linear(sample)
    return replace(events, variances=events.yields**2 if noise else events.variances)


def score(inputs: tf.Tensor) -> tf.Tensor:
    return -0.7 * tf.reduce_sum(inputs, axis=1)


def measure(events: LoadedEvents, softness: float = 1e-4, edges: np.ndarray = EDGES) -> float:
    """σ of the score in bins, soft or hard."""
    shares = [
        memberships(score(item), tf.constant(edges), softness)
        for item in (events.inputs, events.moved_inputs)
    ]
    return float(tf.exp(log_sigma(fill_soft_bins(*shares, events), events)))


def as_loaded(events: LinearEvents) -> LoadedEvents:
    return load(events, tf.constant)


@pytest.mark.parametrize("softness", [0.05, 0.3, 1.0])
def test_memberships_of_an_event_add_up_to_one_everywhere(softness: float) -> None:
    scores = tf.constant(np.linspace(-8.0, 8.0, 200), tf.float32)
    shares = memberships(scores, tf.constant(EDGES), softness).numpy()
    assert shares.shape == (200, 5)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-6)
    assert shares.min() >= 0.0


def test_hard_memberships_are_a_histogram() -> None:
    scores = np.random.default_rng(2).normal(0.0, 1.5, 500).astype(np.float32)
    shares = memberships(tf.constant(scores), tf.constant(EDGES), 1e-6).numpy()
    counts = np.histogram(scores, [-np.inf, *EDGES, np.inf])[0]
    np.testing.assert_allclose(shares.sum(axis=0), counts, atol=1e-3)


def test_bins_hold_equal_parts_of_the_mixture() -> None:
    rng = np.random.default_rng(3)
    scores, is_signal = rng.normal(size=3000), np.arange(3000) < 500
    yields = np.where(is_signal, 0.01, 5.0)
    edges = balanced_edges(scores, yields, is_signal, 8)
    places = np.searchsorted(edges, scores, side="right")
    shares = 0.5 * np.bincount(places[is_signal]) / 500 + 0.5 * np.bincount(places[500:]) / 2500
    np.testing.assert_allclose(shares, 1.0 / 8.0, atol=2e-3)
    assert (np.diff(balanced_edges(np.zeros(50), np.ones(50), np.arange(50) < 9, 5)) > 0).all()


def workspace(events: LinearEvents) -> dict:
    """HistFactory of hard bins, filled without any of the code under test."""
    values = [score(tf.constant(r.features)).numpy() for r in (events.nominal, events.shifted)]
    bins = [-np.inf, *EDGES, np.inf]
    mask = events.is_signal

    def fill(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.histogram(scores, bins, weights=weights)[0]

    shift = fill(values[1], events.moved_slopes) + fill(values[0], events.slopes[:, 1])
    background = fill(values[0][~mask], events.yields[~mask])
    signal = fill(values[0][mask], events.yields[mask])
    errors = [np.sqrt(fill(values[0][m], events.variances[m])) for m in (mask, ~mask)]
    hi, lo = (background + sign * shift for sign in (1.0, -1.0))
    samples = [
        {
            "name": "s",
            "data": signal.tolist(),
            "modifiers": [
                {"name": "mu", "type": "normfactor", "data": None},
                {"name": "stat", "type": "staterror", "data": errors[0].tolist()},
            ],
        },
        {
            "name": "b",
            "data": background.tolist(),
            "modifiers": [
                {"name": "theta", "type": "histosys",
                 "data": {"hi_data": hi.tolist(), "lo_data": lo.tolist()}},
                {"name": "stat", "type": "staterror", "data": errors[1].tolist()},
            ],
        },
    ]  # fmt: skip
    return {
        "channels": [{"name": "c", "samples": samples}],
        "observations": [{"name": "c", "data": (signal + background).tolist()}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def test_sigma_of_hard_bins_is_that_of_the_fit() -> None:
    """With the statistics of the simulation: pyhf's Fisher information, and MINUIT-like Hessian."""
    events = toy(400, noise=True)
    made = workspace(events)
    if not all(v > 0 for sample in made["channels"][0]["samples"] for v in sample["data"]):
        pytest.fail("a bin of the toy is empty")
    own = measure(as_loaded(events))
    assert own == pytest.approx(expected_sigma(made), rel=0.01)
    assert own > 1.02 * measure(as_loaded(replace(events, variances=0.0 * events.variances)))


def test_sigma_is_that_of_the_interval_of_the_fit() -> None:
    """Half of the interval in which pyhf's -2 ln Λ of Asimov data is below 1."""
    made = workspace(toy(400, noise=True))
    model = pyhf.Model({"channels": made["channels"]}, poi_name="mu", validate=False)
    data = model.expected_data(model.config.suggested_init())
    best = pyhf.infer.mle.fit(data, model, return_fitted_val=True)[1]
    own = measure(as_loaded(toy(400, noise=True)))
    rise = [
        pyhf.infer.mle.fixed_poi_fit(1.0 + sign * own, data, model, return_fitted_val=True)[1]
        - best
        for sign in (1.0, -1.0)
    ]
    assert math.sqrt(2.0 / sum(rise)) == pytest.approx(1.0, rel=0.03)


def test_soft_bins_become_hard_ones() -> None:
    events = as_loaded(toy())
    hard = measure(events)
    assert abs(measure(events, 0.02) / hard - 1.0) < 0.01
    assert abs(measure(events, 0.2) / hard - 1.0) < 0.1


def test_gradient_is_that_of_finite_differences() -> None:
    events = as_loaded(toy(500, noise=True))

    def value(weights: tf.Tensor) -> tf.Tensor:
        shares = [
            memberships(tf.linalg.matvec(item, weights), tf.constant(EDGES), 0.3)
            for item in (events.inputs, events.moved_inputs)
        ]
        return log_sigma(fill_soft_bins(*shares, events), events)

    weights = tf.Variable([-0.8, -0.3])
    with tf.GradientTape() as tape:
        loss = value(weights)
    gradient = tape.gradient(loss, weights).numpy()
    step = 3e-3
    moves = step * np.eye(2, dtype=np.float32)
    differences = [
        (float(value(weights + move)) - float(value(weights - move))) / (2 * step) for move in moves
    ]
    np.testing.assert_allclose(gradient, differences, rtol=0.03, atol=2e-3)
    assert np.abs(gradient).max() > 0.01


def test_slope_of_up_and_down_is_not_doubled_as_by_the_naive_interpolation() -> None:
    """max(θ, 0)·(up - 0) + min(θ, 0)·(0 - down): TensorFlow adds both branches at θ = 0."""
    up, down = 3.0, -1.0
    theta = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        naive = tf.maximum(theta, 0.0) * up - tf.minimum(theta, 0.0) * down
    assert float(tape.gradient(naive, theta)) == up - down
    events = toy(100)
    one = np.zeros((1, 2))
    at = Sample(one, one, [(one + 1.0, one - 1.0)])
    linear = TWO_GAUSSIANS.linear(at)
    assert sorted(linear.moved_slopes) == [-500.0, 500.0]  # half of the thousand events each way
    assert len(events.shifted) == 200


def test_without_systematics_the_best_score_is_that_of_cross_entropy() -> None:
    """Of all directions that of the densities' ratio, here the diagonal."""
    events = toy(20000)
    turns = np.linspace(-0.6, 0.6, 13)

    def best_turn(chosen: LinearEvents) -> float:
        values = []
        for turn in turns:
            angle = turn + math.pi / 4.0
            direction = -np.array([[math.cos(angle)], [math.sin(angle)]], np.float32)
            own = load(chosen, lambda f, d=direction: tf.constant(f @ d))
            edges = balanced_edges(
                own.inputs.numpy()[:, 0], chosen.yields, chosen.is_signal, 10
            ).astype(np.float32)
            shares = [
                memberships(item[:, 0], tf.constant(edges), 1e-4)
                for item in (own.inputs, own.moved_inputs)
            ]
            values.append(float(log_sigma(fill_soft_bins(*shares, own), own)))
        return float(turns[int(np.argmin(values))])

    assert abs(best_turn(events.without_parameters())) <= 0.11


def test_a_variation_that_moves_nothing_costs_nothing() -> None:
    events = toy(3000)
    sample = draw_two_gaussians(3000, np.random.default_rng(1))
    still = replace(sample, shifts=[(sample.background, sample.background)])
    unmoved = as_loaded(TWO_GAUSSIANS.linear(still))
    alone = as_loaded(events.without_parameters())
    assert measure(unmoved) == pytest.approx(measure(alone), rel=1e-6)
    assert measure(as_loaded(events)) > 1.05 * measure(alone)
    shares = [
        memberships(score(item), tf.constant(EDGES), 0.2)
        for item in (unmoved.inputs, unmoved.moved_inputs)
    ]
    assert float(shape_change(fill_soft_bins(*shares, unmoved), unmoved)) == pytest.approx(
        0.0, abs=1e-8
    )


def test_negative_weights_lower_counts_and_raise_variances() -> None:
    """A fifth of the background of weight -1: σ is finite, and larger by the noise of templates."""
    events = toy(4000)
    sign = np.where(~events.is_signal & (np.arange(8000) % 5 == 0), -1.0, 1.0)
    signed = replace(events, yields=events.yields * sign, variances=events.yields**2)
    found = as_loaded(signed)
    shares = memberships(score(found.inputs), tf.constant(EDGES), 1e-4)
    counts = fill_soft_bins(
        shares, memberships(score(found.moved_inputs), tf.constant(EDGES), 1e-4), found
    )
    places = np.searchsorted(EDGES, score(found.inputs).numpy(), side="right")
    np.testing.assert_allclose(counts.yields, np.bincount(places, signed.yields), rtol=1e-3)
    np.testing.assert_allclose(counts.variances, np.bincount(places, signed.variances), rtol=1e-3)
    assert math.isfinite(measure(found))
    worst = replace(signed, yields=np.where(events.is_signal, events.yields, -events.yields))
    assert math.isfinite(measure(as_loaded(worst)))


def test_cross_entropy_of_both_classes_has_equal_totals() -> None:
    events = as_loaded(toy(1000))
    assert float(tf.reduce_sum(events.balanced)) == pytest.approx(1.0, rel=1e-5)
    found = float(cross_entropy(tf.zeros_like(events.labels), events))
    assert found == pytest.approx(math.log(2.0), rel=1e-5)


def test_control_regions_constrain_parameters() -> None:
    """A parameter that a control region knows to 10 %, with and without its prior."""
    events = replace(
        toy(3000),
        prior=np.array([0.0, 0.0]),
        control_yields=np.array([100.0]),
        control_variances=np.array([0.0]),
        control_slopes=np.array([[0.0, 10.0]]),
    )
    same = replace(toy(3000), prior=np.array([0.0, 1.0]))
    assert measure(as_loaded(events)) == pytest.approx(measure(as_loaded(same)), rel=1e-6)


def test_part_of_the_events_is_scaled_to_all_yields() -> None:
    events = toy(4000, noise=True)
    for part in divide_events(events, 3):
        for mask, of_part in (
            (events.is_signal, part.is_signal),
            (~events.is_signal, ~part.is_signal),
        ):
            assert part.yields[of_part].sum() == pytest.approx(events.yields[mask].sum())
            # templates are made of all events
            total = events.variances[mask].sum()
            assert part.variances[of_part].sum() == pytest.approx(total)
        assert len(part.nominal) == pytest.approx(len(events.nominal) / 3.0, rel=0.1)
    rows = [
        {(int(i), int(g)) for i, g in zip(p.shifted.identifiers, p.shifted.groups, strict=True)}
        for p in divide_events(events, 3)
    ]
    for one, other in itertools.combinations(rows, 2):
        assert not one & other  # up and down of an event stay together


def test_more_bins_than_the_events_fill_are_refused() -> None:
    events = toy(100)
    events.check_bins(10, "fold 0")
    line = (
        r"training.sensitivity.bins: 11 bins for 100 effective background events of fold 0; at "
        r"least 10 a bin are needed, so at most 10 bins"
    )
    with pytest.raises(TaipanError, match=line):
        events.check_bins(11, "fold 0")


def test_schur_complement_is_the_inverse() -> None:
    rng = np.random.default_rng(4)
    matrix = rng.normal(size=(9, 5))
    total = matrix.T @ matrix
    found = float(profiled_variance(tf.constant(total)))
    assert found == pytest.approx(np.linalg.inv(total)[0, 0], rel=1e-9)


def test_analytic_uncertainties_are_those_of_the_paper() -> None:
    """arXiv:1806.04743, table 2; its text has the signal elsewhere and would give 16.15."""
    for toy_of, published in zip(INFERNO.values(), PUBLISHED["analytic"], strict=True):
        assert analytic_sigma(toy_of, 400_000) == pytest.approx(published, rel=0.005)


def test_best_classifier_in_equal_bins_is_that_of_the_paper() -> None:
    sample = draw_inferno(150_000, np.random.default_rng(7))
    constant = math.log(2.0 * math.sqrt(45.0) / 3.0)

    def probability(features: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-inferno_logit(features.astype(float)) - constant))

    for toy_of, published in zip(INFERNO.values(), PUBLISHED["optimal classifier"], strict=True):
        assert sigma_in(toy_of, sample, probability) == pytest.approx(published, rel=0.05)


def test_most_of_the_gain_on_two_gaussians_is_binning() -> None:
    """Equal bins of the best classifier .218, optimised ones .19; the unbinned bound is .182."""
    rng = np.random.default_rng(5)
    test, choosing = draw_two_gaussians(60_000, rng), draw_two_gaussians(20_000, rng)

    def probability(features: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-two_gaussians_logit(features.astype(float))))

    equal = sigma_in(TWO_GAUSSIANS, test, probability, bins=8)
    edges = choose_edges(TWO_GAUSSIANS, choosing, probability, bins=8)
    assert equal == pytest.approx(0.218, abs=0.003)
    assert 0.182 < sigma_in(TWO_GAUSSIANS, test, probability, edges) < 0.196


def test_fine_tuning_beats_cross_entropy_with_optimised_bins() -> None:
    """On independent events; the start of the fine-tuning is the network of cross-entropy."""
    rng = np.random.default_rng(6)
    samples = [draw_two_gaussians(3000, rng) for _ in range(2)]
    test = draw_two_gaussians(30_000, rng)
    settings = toy_settings("sannt", steps=60, learning_rate=5e-3, warmup_steps=2)
    settings = settings.model_copy(update={"hidden_layers": [16], "epochs": 10})
    before, after, fitted = train_toy(TWO_GAUSSIANS, samples, settings, seed=1)
    history = fitted.history["validation_objective"]
    assert fitted.value == min(history)
    assert fitted.best_epoch > 0
    plain, tuned = (
        sigma_in(TWO_GAUSSIANS, test, item, choose_edges(TWO_GAUSSIANS, samples[1], item))
        for item in (before, after)
    )
    assert tuned < 0.995 * plain
    assert history[0] == pytest.approx(plain, rel=0.1)
