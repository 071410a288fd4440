"""Training against an adversary: its events, its engine, what it must not change."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from benchmarks.adversary import make_toy

from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.adversary.events import (
    Opponent,
    OpponentEvents,
    balanced_weights,
    check_disjoint,
    draw_batches,
)
from taipan.nn.adversary.monitor import divergence, squared_distance_correlation
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.fold import FoldPlan, make_engine, train_fold
from taipan.nn.history import choose_epoch, stop_reason
from taipan.nn.train import train_network
from tests.made_up_estimates import measured, same_sign

ROOT = Path(__file__).parents[2]
BASE = {
    "folds": 3, "networks": 1, "hidden_layers": [16], "batch_size": 256, "learning_rate": 5e-3,
    "epochs": 8, "patience": 8, "dropout": 0.2,
}  # fmt: skip
ADVERSARY = {"enabled": True, "warmup_epochs": 2, "hidden_layers": [8]}
TOY, CONTROL = make_toy(900, 700, seed=1)


def settings_of(strength: float = 5.0, training: dict | None = None, **changes: Any) -> Training:
    adversary = {**ADVERSARY, "strength": strength, **changes}
    return Training.model_validate({**BASE, **(training or {}), "adversary": adversary})


def domain(strength: float = 5.0, events: OpponentEvents = CONTROL, **more: Any) -> Opponent:
    return Opponent("control_sample", "domain", strength, events, **more)


_ENGINES: dict[Any, Any] = {}


def engine_of(settings: Training, opponents: list[Opponent]) -> Any:
    """Compile each engine once: what it was used for before does not matter."""
    kinds = tuple((item.method, item.events.conditions.shape[1]) for item in opponents)
    key = (settings.model_copy(update={"checkpoint_every": 0}).model_dump_json(), kinds)
    if key not in _ENGINES:
        _ENGINES[key] = make_engine(TOY, settings, opponents)
    elif opponents:
        _ENGINES[key].face(opponents)
    return _ENGINES[key]


def train(settings: Training, opponents: list[Opponent], seed: int = 3, **options: Any) -> Any:
    """Give the weights of network 0, and what its training left."""
    engine = engine_of(settings, opponents)
    split = split_folds(TOY.folds, TOY.identifiers, 0, 3)
    plan = options.pop("plan", None) or FoldPlan(settings)
    fitted = train_fold(engine, TOY, TOY.training_weights(), split, plan, seed, **options)
    return weights_of(engine), fitted


def weights_of(engine: Any) -> list[np.ndarray]:
    return [np.array(item) for item in engine.network.body.get_weights()]


def same(left: list[np.ndarray], right: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def files_of(folder: Path, opponents: list[Opponent], **changes: Any) -> list[bytes]:
    """Train a few epochs and give the bytes of the three ONNX files."""
    settings = settings_of(0.0, {"epochs": 4, "patience": 4}, **changes)
    models = [folder / f"fold{i}.onnx" for i in range(3)]
    folder.mkdir()
    train_network(TOY, settings, 7, models, folder / "training.json", opponents=opponents)
    return [path.read_bytes() for path in models]


@pytest.fixture(scope="module")
def plain_files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return files_of(tmp_path_factory.mktemp("plain") / "run", [])


@pytest.mark.parametrize(
    "changes",
    [
        {"mechanism": "alternating"},
        {"mechanism": "reversal"},
        {"sees": "hidden"},
        {"sees": "hidden", "mechanism": "reversal"},
        {"start": "baseline", "pretraining_epochs": 3},
        {"start": "baseline", "pretraining_epochs": 3, "sees": "hidden"},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_strength_of_zero_is_bit_for_bit_the_plain_training(
    changes: dict[str, Any], plain_files: list[bytes], tmp_path: Path
) -> None:
    """The adversary trains and is watched, but the network cannot feel it."""
    zero = files_of(tmp_path / "zero", [domain(0.0)], **changes)
    assert zero == plain_files


def test_adversary_moves_the_network() -> None:
    plain, _ = train(settings_of(0.0), [])
    opposed, fitted = train(settings_of(5.0), [domain()])
    assert not same(plain, opposed)
    assert fitted.history["strength_share"][:4] == [0.0, 0.5, 1.0, 1.0]
    assert fitted.history["warming_up"][:3] == [1.0, 1.0, 0.0]
    assert fitted.best_epoch >= 2


def test_same_seed_gives_the_same_network() -> None:
    first, one = train(settings_of(), [domain()])
    second, two = train(settings_of(), [domain()])
    other, _ = train(settings_of(), [domain()], seed=4)
    assert one == two
    assert same(first, second)
    assert not same(first, other)


_ONE_THREAD = """
from tests.unit.test_adversary import TOY, domain, make_engine, settings_of
make_engine(TOY, settings_of(), [domain()])
import tensorflow as tf
threading = tf.config.threading
print(threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads())
"""


def test_an_engine_has_one_thread_whoever_makes_it() -> None:
    """With two, 19 of 95 repetitions of a training on this toy had other last bits."""
    command = [sys.executable, "-c", _ONE_THREAD]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.split() == ["1", "1"]


def test_a_network_never_sees_the_control_events_of_its_fold() -> None:
    """Fold 0 spoilt: nothing changes. Fold 2, of the training: something does."""
    expected, fitted = train(settings_of(), [domain()])
    for fold, unchanged in ((0, True), (2, False)):
        features = np.array(CONTROL.features)
        features[CONTROL.folds == fold] += 10.0
        engine, found = train(settings_of(), [domain(events=replace(CONTROL, features=features))])
        assert same(engine, expected) is unchanged
        assert (found.history == fitted.history) is unchanged


def test_the_validation_fold_of_the_control_sample_is_not_trained_on() -> None:
    """It decides which epoch is kept, and nothing else."""
    _, fitted = train(settings_of(), [domain()])
    features = np.array(CONTROL.features)
    features[CONTROL.folds == 1] *= -1.0
    _, found = train(settings_of(), [domain(events=replace(CONTROL, features=features))])
    assert found.history["loss"] == fitted.history["loss"]
    assert found.history["residual_control_sample"] != fitted.history["residual_control_sample"]


class KilledError(Exception):
    """The training is interrupted."""


@pytest.mark.parametrize(
    "changes", [{}, {"start": "baseline", "pretraining_epochs": 3}, {"mechanism": "reversal"}]
)
def test_killed_training_goes_on_exactly(changes: dict[str, Any], tmp_path: Path) -> None:
    settings = settings_of(training={"checkpoint_every": 2}, **changes)
    whole_engine, whole = train(settings, [domain()])

    def kill(_: Any, history: dict[str, list[float]]) -> None:
        if len(history["loss"]) == 5:
            raise KilledError

    path = tmp_path / "fold0.npz"
    with pytest.raises(KilledError):
        train(settings, [domain()], hooks=[kill], checkpoint=path)
    epochs: list[int] = []
    engine, resumed = train(
        settings, [domain()], hooks=[lambda _, h: epochs.append(len(h["loss"]))], checkpoint=path
    )
    assert epochs[0] == 5  # four were in the checkpoint
    assert resumed == whole
    assert same(engine, whole_engine)


def test_checkpoint_of_another_control_sample_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "fold0.npz"
    settings = settings_of(training={"checkpoint_every": 2})
    other = replace(CONTROL, targets=np.random.default_rng(0).permutation(CONTROL.targets))
    train(settings, [domain(events=other)], checkpoint=path)
    assert train(settings, [domain()], checkpoint=path)[1] == train(settings, [domain()])[1]


def test_baseline_is_where_the_adversary_begins() -> None:
    """The first epoch against the adversary, of λ = 0, goes on from the trained network."""
    _, scratch = train(settings_of(), [domain()])
    _, fitted = train(settings_of(start="baseline", pretraining_epochs=8), [domain()])
    plain = train(settings_of(0.0), [])[1]
    assert fitted.history["validation_bce"][0] < scratch.history["validation_bce"][0]
    assert fitted.history["validation_bce"][0] == pytest.approx(plain.value + 0.27, abs=0.1)


DIVERGES = {
    "NaN": (
        {"optimizer": "sgd", "learning_rate": 1e38},
        r"fold 0: the adversary of control_sample diverged in epoch 0: its loss is .*"
        r"\(λ = 5, learning rate 0.005 of the network, 1e\+38 of the adversary\)",
    ),
    "constant": (
        {"optimizer": "sgd", "learning_rate": 300.0, "activation": "relu"},
        r"the adversary of control_sample (collapsed|diverged) in epoch 0: its .* "
        r"\(λ = 5, learning rate 0.005 of the network, 300 of the adversary\)",
    ),
}


@pytest.mark.parametrize("name", DIVERGES)
def test_diverging_adversary_is_stopped(name: str) -> None:
    changes, message = DIVERGES[name]
    with pytest.raises(TaipanError, match=message):
        train(settings_of(5.0, **changes), [domain()])


def test_adversary_of_one_answer_is_stopped() -> None:
    settings = settings_of()
    engine = make_engine(TOY, settings, [domain()])
    zero = engine.duel.adversaries[0]
    begin = engine.begin

    def collapse() -> None:
        begin()
        for layer in zero.layers:
            for variable in layer.trainable_variables:
                variable.assign(np.zeros(variable.shape))

    engine.begin = collapse
    split = split_folds(TOY.folds, TOY.identifiers, 0, 3)
    # zeros stay zeros but for the last bias: no gradient reaches anything else
    message = r"the adversary of control_sample collapsed in epoch 0: .* all events \(spread 0\)"
    with pytest.raises(TaipanError, match=message):
        train_fold(engine, TOY, TOY.training_weights(), split, FoldPlan(settings), 3)


def test_constant_score_is_stopped() -> None:
    """Of zero weights only the last bias has a gradient: the score stays a constant."""
    settings = settings_of()
    engine = make_engine(TOY, settings, [domain()])
    reset = engine.reset

    def flatten(seed: int) -> None:
        reset(seed)
        for variable in engine.network.body.trainable_variables:
            variable.assign(np.zeros(variable.shape))

    engine.reset = flatten
    split = split_folds(TOY.folds, TOY.identifiers, 0, 3)
    message = (
        r"training of fold 0 collapsed in epoch 0: all scores are .* \(spread 0\) "
        r"\(λ = 5, learning rate 0.005 of the network, 0.003 of the adversary\)"
    )
    with pytest.raises(TaipanError, match=message):
        train_fold(engine, TOY, TOY.training_weights(), split, FoldPlan(settings), 3)


@pytest.mark.parametrize(
    ("changes", "opponent"),
    [
        ({"sees": "hidden"}, domain()),
        ({"optimizer": "nadam", "steps": 1, "mechanism": "reversal"}, domain()),
        ({}, domain(neutral=(0,))),
        ({"emphasis": 0.0, "steps": 3}, domain()),
    ],
)
def test_every_option_trains(changes: dict[str, Any], opponent: Opponent) -> None:
    usual, _ = train(settings_of(), [domain()])
    engine, fitted = train(settings_of(**changes), [opponent])
    assert not same(usual, engine)
    assert fitted.history["validation_auc"][fitted.best_epoch] > 0.8


def test_conditions_reach_the_adversary() -> None:
    conditions = CONTROL.features[:, [1]]
    events = replace(CONTROL, conditions=conditions)
    first, _ = train(settings_of(), [domain(events=events)])
    assert engine_of(settings_of(), [domain(events=events)]).duel.adversaries[0].input_shape == (
        None,
        2,
    )
    flipped = replace(
        CONTROL, conditions=conditions * np.where(CONTROL.targets > 0, 1, -1)[:, None]
    )
    other, _ = train(settings_of(), [domain(events=flipped)])
    assert not same(first, other)


def test_reversal_gives_the_network_the_gradient_of_the_alternating_step() -> None:
    """With the adversary's steps left out, both move the network by the same -λ gradient."""
    found = []
    for mechanism in ("alternating", "reversal"):
        settings = settings_of(3.0, mechanism=mechanism, steps=1, warmup_epochs=0)
        engine = make_engine(TOY, settings, [domain(3.0)])
        engine.reset(1)
        engine.oppose(split_folds(TOY.folds, TOY.identifiers, 0, 3))
        engine.duel._train_adversaries = lambda *_: None
        engine.duel.epoch = engine.duel._compile([0])
        events = engine.load(TOY.features[:200], TOY.labels[:200], np.ones(200))
        before = weights_of(engine)
        # the same draws of control events in both: one use of them
        engine._settings = settings_of(3.0, mechanism="reversal", steps=1, warmup_epochs=0)
        engine.train_epoch(events, np.arange(200, dtype=np.int32))
        found.append([a - b for a, b in zip(weights_of(engine), before, strict=True)])
    for left, right in zip(*found, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("method", ["adversary", "disco"])
def test_score_is_decorrelated_from_a_continuous_quantity(method: str) -> None:
    """The background's first feature, the strongest: the score may not depend on it."""
    rows = np.flatnonzero(TOY.labels == 0)
    events = OpponentEvents(
        TOY.features[rows],
        TOY.features[rows, 0],
        TOY.weights[rows],
        TOY.folds[rows],
        TOY.identifiers[rows],
        np.zeros((len(rows), 0), np.float32),
    ).ordered()
    found = {}
    training = {"dropout": 0.0, "l2": 0.0, "epochs": 15, "patience": 15}
    for strength in (0.0, 20.0):
        opponents = [Opponent("x1", method, strength, events)]
        train(settings_of(0.0, training), opponents)
        engine = engine_of(settings_of(0.0, training), opponents)
        logits = engine.logits(engine.load(events.features, events.targets, events.weights))
        found[strength] = squared_distance_correlation(logits, events.targets, events.weights)
    assert found[0.0] > 0.4
    assert found[20.0] < 0.3 * found[0.0]


def test_weights_of_both_domains_match_in_every_fold() -> None:
    generator = np.random.default_rng(5)
    signed = np.where(generator.random(len(CONTROL)) < 0.2, -0.3, 1.7) * (1.0 + CONTROL.targets)
    opponent = domain(events=replace(CONTROL, weights=signed))
    weights = balanced_weights(opponent, 3)
    for fold in range(3):
        here = CONTROL.folds == fold
        for target in (0, 1):
            total = weights[here & (CONTROL.targets == target)].sum()
            assert total == pytest.approx(0.5 * here.sum(), rel=1e-9)
    assert (weights < 0).sum() == (signed < 0).sum()


def test_domain_without_positive_sum_is_named() -> None:
    negative = np.where((CONTROL.folds == 1) & (CONTROL.targets == 1), -1.0, 1.0)
    count = int(np.sum(negative < 0))
    message = rf"control_sample: Σw of data is -{count} in fold 1 \({count} events\), must be posi"
    with pytest.raises(TaipanError, match=message):
        balanced_weights(domain(events=replace(CONTROL, weights=negative)), 3)


def test_common_event_is_refused() -> None:
    identifiers = np.array([5, 7, 9], dtype=np.uint64)
    check_disjoint(identifiers, identifiers + np.uint64(1), "Data", "cr")
    message = (
        r"control_sample.region: 1 events of Data in 'cr' are also trained on \(the first has the "
        "hash 0x0000000000000009\\)"
    )
    with pytest.raises(TaipanError, match=message):
        check_disjoint(identifiers, np.array([9, 11], dtype=np.uint64), "Data", "cr")


@pytest.mark.parametrize(
    ("events", "steps", "size"), [(6000, 10, 600), (90_000, 10, 1024), (900, 10, 256), (90, 3, 90)]
)
def test_batches_go_through_the_events_equally_often(events: int, steps: int, size: int) -> None:
    drawn = draw_batches(np.random.default_rng(1), events, steps, 3, 1024)
    assert drawn.shape == (steps, 3, size)
    for use in range(3):
        counts = np.bincount(drawn[:, use].ravel(), minlength=events)
        assert counts.max() - counts.min() <= 1
    assert not np.array_equal(drawn[:, 0], drawn[:, 1])


def test_divergence_of_known_distributions() -> None:
    """Two bins, shares 1/2 : 1/2 against 1 : 0: half of ln(4/3) and ln(2/3), ln 2 of the two."""
    logits = np.array([-1.0, 1.0, -1.0, -1.0])
    targets = np.array([0, 0, 1, 1])
    expected = 0.5 * (0.5 * np.log(2 / 3) + 0.5 * np.log(2.0)) + 0.5 * np.log(4 / 3)
    found = divergence("domain", logits, targets, np.ones(4), np.array([0.0]))
    assert found == pytest.approx(expected, abs=1e-6)
    # a pair of events of opposite sign adds nothing
    found = divergence(
        "domain",
        np.append(logits, [1.0, 1.0]),
        np.append(targets, [1, 1]),
        np.append(np.ones(4), [1.0, -1.0]),
        np.array([0.0]),
    )
    assert found == pytest.approx(expected, abs=1e-6)


def test_distance_correlation_of_known_pairs() -> None:
    x = np.random.default_rng(2).normal(size=400)
    noise = np.random.default_rng(3).normal(size=400)
    ones = np.ones(400)
    assert squared_distance_correlation(x, 3.0 * x + 1.0, ones) == pytest.approx(1.0)
    assert squared_distance_correlation(x, noise, ones) < 0.03
    assert squared_distance_correlation(x, x**2, ones) > 0.1


def test_graph_and_numpy_agree_on_the_distance_correlation() -> None:
    from taipan.nn.adversary import networks

    generator = np.random.default_rng(4)
    x, y = generator.normal(size=(2, 200)).astype(np.float32)
    weights = np.where(generator.random(200) < 0.1, -1.0, 1.0).astype(np.float32)
    found = float(networks.batch_distance_correlation(x, y + x, weights))
    expected = squared_distance_correlation(
        x.astype(float), (y + x).astype(float), weights.astype(float)
    )
    assert found == pytest.approx(expected, rel=1e-3)


def test_epochs_of_the_warm_up_are_not_chosen_and_no_reason_to_stop() -> None:
    values = [0.1, 0.2, 0.5, 0.4, 0.45]
    history = {
        "loss": values,
        "validation_objective": values,
        "overtrained": [0.0] * 5,
        "warming_up": [1.0, 1.0, 0.0, 0.0, 0.0],
    }
    assert choose_epoch(history, "objective", "best_value", ()).epoch == 3
    settings = settings_of(training={"patience": 2, "overtraining_patience": 2})
    assert stop_reason(history, settings, "objective") is None
    overtrained = {**history, "overtrained": [1.0] * 3 + [0.0] * 2}
    warm = {key: item[:3] for key, item in overtrained.items()}
    assert stop_reason(warm, settings, "objective") is None
    longer = {key: [*item, item[-1]] for key, item in history.items()}
    assert stop_reason(longer, settings, "objective") == "2 epochs without improvement"


def _dataset(name: str, columns: dict[str, np.ndarray], weight: float | None) -> Any:
    count = len(columns["q"])
    nominal = None if weight is None else SimpleNamespace(nominal=np.full(count, weight))
    hashes = np.arange(count, dtype=np.uint64) + np.uint64(1000 * len(name))
    return SimpleNamespace(
        name=name,
        columns={**columns, "event_hash": hashes},
        weights=nominal,
        folds=(hashes % np.uint64(3)).astype(int),
        is_data=weight is None,
    )


@pytest.fixture
def collection() -> dict[str, Any]:
    """Data and two simulated datasets; regions of opposite and same sign at low and high m."""
    from taipan.config.sections.regions import Region
    from taipan.config.sections.samples import Sample
    from taipan.nn.collect import CollectSettings

    def columns(opposite: int, same_sign: int) -> dict[str, np.ndarray]:
        charge = np.repeat([1.0, 1.0, -1.0, -1.0], [opposite, 2, same_sign, 1])
        high = np.repeat([90.0, 10.0, 90.0, 10.0], [opposite, 2, same_sign, 1])
        return {"q": charge, "m": high, "x": np.arange(len(charge), dtype=float)}

    found: dict[str, Any] = {
        "datasets": [
            _dataset("Data", columns(20, 8), None),
            _dataset("W", columns(12, 3), 0.5),
            _dataset("H", columns(1, 1), 0.1),
        ],
        "analysis": SimpleNamespace(
            compute=lambda c: {**c, "passes": np.ones(len(c["q"]), dtype=bool)}
        ),
        "settings": CollectSettings(
            region="sr",
            features=["x"],
            samples={
                "H": Sample(role="signal", datasets=["H"]),
                "W": Sample(datasets=["W"]),
                "QCD": Sample(estimate=same_sign(sr="ss", cr="ss_cr", all="ss_cr")),
            },
            regions={
                "sr": Region(cut="q > 0 and m < 30", role="signal"),
                "ss": Region(cut="q < 0 and m < 30"),
                "cr": Region(cut="q > 0 and m > 70", role="control"),
                "ss_cr": Region(cut="q < 0 and m > 70"),
                "all": Region(cut="q > 0"),
            },
        ),
    }
    return {**found, "estimate": measured(found["settings"].samples, 1.1)}


def test_sample_confined_to_other_regions_is_not_trained_on(collection: dict[str, Any]) -> None:
    """It is subtracted from the same-sign data as before."""
    from taipan.nn.collect import collect_training_set

    before = collect_training_set(**collection)
    settings = collection["settings"]
    confined = settings.samples["W"].model_copy(update={"regions": ["cr"]})
    collection["settings"] = replace(settings, samples={**settings.samples, "W": confined})
    after = collect_training_set(**collection)
    assert set(after.samples) == {"H", "QCD"}
    for name in after.samples:
        mine = [item.weights[item.samples == name] for item in (before, after)]
        assert np.array_equal(*mine)


def test_training_region_without_simulated_events_is_named(collection: dict[str, Any]) -> None:
    """The same-sign events of the estimate once hid that no event passes the cut."""
    from taipan.nn.collect import collect_training_set

    assert set(collect_training_set(**collection).samples) == {"H", "W", "QCD"}
    for events in collection["datasets"]:
        events.columns["m"] = np.where(events.columns["q"] > 0, 90.0, events.columns["m"])
    message = (
        r"^regions.sr.cut: 'q > 0 and m < 30': no event of a simulated sample passes it; the "
        r"networks are trained there \(training.region\)$"
    )
    with pytest.raises(TaipanError, match=message):
        collect_training_set(**collection)


def collect(collection: dict[str, Any], decorrelate: Any = (), **sample: Any) -> list[Opponent]:
    from taipan.nn.adversary.collect import collect_opponents

    training = Training.model_validate(
        {
            "adversary": {"enabled": True, "control_sample": {"region": "cr", **sample}},
            "decorrelate": list(decorrelate),
        }
    )
    return collect_opponents(**collection, training=training)


def test_control_sample_is_data_minus_qcd_against_simulation(collection: dict[str, Any]) -> None:
    (opponent,) = collect(collection)
    events = opponent.events
    data, simulation = (events.weights[events.targets == target].sum() for target in (1, 0))
    assert data == pytest.approx(20 - 1.1 * (8 - 3 * 0.5 - 1 * 0.1))
    assert simulation == pytest.approx(12 * 0.5 + 0.1)
    assert np.sum(events.weights[events.targets == 1] < 0) == 8
    assert opponent.describe()["data"]["sumw"] == pytest.approx(data)


def test_samples_that_are_not_listed_are_subtracted_from_data(collection: dict[str, Any]) -> None:
    (opponent,) = collect(collection, simulation=["W"])
    events = opponent.events
    assert events.weights[events.targets == 0].sum() == pytest.approx(6.0)
    expected = 20 - 1.1 * (8 - 1.5 - 0.1) - 0.1
    assert events.weights[events.targets == 1].sum() == pytest.approx(expected)


def test_events_of_the_control_sample_may_not_be_trained_on(collection: dict[str, Any]) -> None:
    with pytest.raises(TaipanError, match=r"2 events of W in 'all' are also trained on"):
        collect(collection, region="all")


def test_order_of_the_datasets_does_not_matter(collection: dict[str, Any]) -> None:
    (expected,) = collect(collection)
    (found,) = collect({**collection, "datasets": collection["datasets"][::-1]})
    assert found.events.digest() == expected.events.digest()


def test_background_is_what_is_decorrelated(collection: dict[str, Any]) -> None:
    entry = {"variable": "m", "region": "sr", "method": "disco", "strength": 2.0}
    off = {**entry, "variable": "x", "strength": 0.0}
    control, opponent = collect(collection, [off, entry])
    assert (opponent.name, opponent.method, opponent.strength) == ("m_sr", "disco", 2.0)
    # W of opposite sign, and QCD: same-sign data minus simulation
    assert opponent.events.weights.sum() == pytest.approx(2 * 0.5 + 1.1 * (1 - 0.5 - 0.1))
    assert set(opponent.events.targets) == {10.0}
    assert control.name == "control_sample"


def test_neutral_features_are_columns(collection: dict[str, Any]) -> None:
    (opponent,) = collect(collection, neutral=["x"])
    assert opponent.neutral == (0,)


def test_neutral_features_tell_the_network_nothing() -> None:
    events = replace(CONTROL, features=np.array(CONTROL.features))
    events.features[:, 0] = 50.0 * CONTROL.targets
    first, _ = train(settings_of(), [domain(neutral=(0,))])
    second, _ = train(settings_of(), [domain(events=events, neutral=(0,))])
    assert same(first, second)


def test_training_set_and_record_name_the_opponents(tmp_path: Path) -> None:
    import json

    settings = settings_of(training={"epochs": 3, "patience": 3})
    models = [tmp_path / f"{i}.onnx" for i in range(3)]
    train_network(TOY, settings, 1, models, tmp_path / "r.json", opponents=[domain()])
    record = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    (described,) = record["opponents"]
    assert described["name"] == "control_sample"
    assert described["data"]["events"] == described["simulation"]["events"] == 700
    history = record["networks"][0]["history"]
    assert len(history["adversary_loss_control_sample"]) == 3
    assert isinstance(TOY, TrainingSet)
