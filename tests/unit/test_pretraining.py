"""Networks that begin with pre-trained ones: what stays, what moves, and what is never seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taipan import metrics
from taipan.analysis_selection import load_analysis
from taipan.checks.configuration import check_config
from taipan.checks.eras import check_eras
from taipan.checks.pretraining import check_pretraining_run
from taipan.config.eras import load_eras
from taipan.config.load import load_catalogue, read_config
from taipan.config.pretraining import load_source, read_source, split_source
from taipan.config.sections.pretraining import Pretrain
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn import train
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.engine import Engine
from taipan.nn.pretrained import (
    PretrainedFold,
    describe_interface,
    read_pretrained,
    write_pretrained,
)
from taipan.nn.scorer import FoldScorer
from tests.conftest import ROOT
from tests.unit.test_nn_train import NAMES, SETTINGS, Run, make_set

FOLDS = 3


def tune(**pretrain: Any) -> Training:
    """Settings of a fine-tuning of SETTINGS at a constant rate."""
    own = Pretrain(catalogue="fast", **{"learning_rate": 2e-3, "epochs": 3, **pretrain})
    return SETTINGS.model_copy(update={"schedule": "constant", "pretrain": own})


def pretrain(folder: Path, events: TrainingSet, settings: Training = SETTINGS) -> list[Path]:
    files = [folder / f"fold{i}.npz" for i in range(FOLDS)]
    train.pretrain_network(events, settings, 7, files, folder / "training.json", {"code": "01"})
    return files


def fine_tune(folder: Path, events: TrainingSet, settings: Training, files: list[Path]) -> Run:
    run = Run(events, [folder / f"{i}.onnx" for i in range(FOLDS)], folder / "record.json")
    train.train_network(
        events, settings, 5, run.models, run.record, {"code": "0123"}, pretrained=files,
        checkpoints=folder / "checkpoints",
    )  # fmt: skip
    return run


@pytest.fixture(scope="module")
def fast() -> TrainingSet:
    """Simulation whose m_vis is 5 GeV lower than that of the target."""
    events = make_set(6000, seed=11)
    features = np.array(events.features)
    features[:, 1] -= 5.0
    return replace(events, features=features)


@pytest.fixture(scope="module")
def files(fast: TrainingSet, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return pretrain(tmp_path_factory.mktemp("fast"), fast)


@pytest.fixture(scope="module")
def target() -> TrainingSet:
    return make_set(900)


@pytest.fixture(scope="module")
def tuned(target: TrainingSet, files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = tune(freeze=["hidden_0"], epochs=4)
    return fine_tune(tmp_path_factory.mktemp("tuned"), target, settings, files)


def networks(run: Run) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads(run.record.read_text())["networks"]
    return content


def score_by_hand(path: Path, features: np.ndarray) -> np.ndarray:
    """ReLU network of two layers with a bounded logit, from the arrays of the file."""
    with np.load(path) as file:
        arrays = {name: file[name].astype(np.float64) for name in file.files if name != "about"}
    missing = np.isnan(features)
    values = (features - arrays["1/standardise/0"]) * arrays["1/standardise/1"]
    hidden = np.concatenate([np.where(missing, 0.0, values), missing[:, 3:]], axis=1)
    for name in ("hidden_0", "hidden_1"):
        hidden = np.maximum(hidden @ arrays[f"1/{name}/0"] + arrays[f"1/{name}/1"], 0.0)
    logit = (hidden @ arrays["1/logit/0"] + arrays["1/logit/1"])[:, 0]
    return np.asarray(1.0 / (1.0 + np.exp(-6.0 * np.tanh(logit / 6.0))))


def test_without_fine_tuning_the_score_is_the_pretrained_one(
    target: TrainingSet, files: list[Path], tmp_path: Path
) -> None:
    run = fine_tune(tmp_path, target, tune(epochs=0), files)
    scorer = FoldScorer(run.models, NAMES)
    for fold, path in enumerate(files):
        expected = score_by_hand(path, target.features)
        np.testing.assert_allclose(
            scorer.score_with(fold, target.features), expected, rtol=0, atol=2e-6
        )
        assert np.ptp(expected) > 0.3
    for network in networks(run):
        assert (network["epochs"], network["best_epoch"]) == (1, 0)
        assert network["history"]["learning_rate"] == [0.0]


def test_inputs_are_scaled_as_they_were_in_the_pretraining(
    fast: TrainingSet, files: list[Path], tuned: Run, target: TrainingSet
) -> None:
    """Otherwise the first epoch would not be the pre-trained network."""
    ordered = fast.take(fast.canonical_order())
    seen = split_folds(ordered.folds, ordered.identifiers, 0, FOLDS).training
    size = np.abs(ordered.training_weights()[seen])
    mean = np.average(ordered.features[seen, 1].astype(np.float64), weights=size)
    with np.load(files[0]) as file:
        assert file["1/standardise/0"][1] == pytest.approx(mean, rel=1e-6)
    of_target = np.average(target.features[:, 1], weights=np.abs(target.training_weights()))
    assert abs(mean - of_target) > 3.0
    first = networks(tuned)[0]["history"]
    validation = split_folds(target.folds, target.identifiers, 0, FOLDS).validation
    scores = score_by_hand(files[0], target.features[validation])
    weights = target.training_weights()[validation]
    expected = metrics.brier(target.labels[validation], scores, weights)
    assert first["validation_brier"][0] == pytest.approx(expected, rel=1e-5)


def test_learning_rate_and_epochs_are_those_of_the_fine_tuning(tuned: Run) -> None:
    for network in networks(tuned):
        rates = network["history"]["learning_rate"]
        assert rates == [0.0, *([pytest.approx(2e-3, rel=1e-6)] * (network["epochs"] - 1))]
        assert network["epochs"] <= 5
    assert max(network["best_epoch"] for network in networks(tuned)) > 0


def spy_on_weights(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, list[np.ndarray]]]:
    found: list[dict[str, list[np.ndarray]]] = []
    epoch = Engine.train_epoch

    def record(self: Engine, *arguments: Any) -> float:
        loss = epoch(self, *arguments)
        found.append({k: [np.array(a) for a in v] for k, v in self.network.get_weights().items()})
        return loss

    monkeypatch.setattr(Engine, "train_epoch", record)
    return found


def test_frozen_layers_do_not_move_and_the_others_do(
    target: TrainingSet, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = spy_on_weights(monkeypatch)
    fine_tune(tmp_path, target, tune(freeze=["hidden_0", "logit"], epochs=1), files)
    with np.load(files[0]) as file:
        before = {name: file[name] for name in file.files}
    for name, moves in (("standardise", 0), ("hidden_0", 0), ("hidden_1", 1), ("logit", 0)):
        for i, (first, second) in enumerate(zip(after[0][name], after[1][name], strict=True)):
            np.testing.assert_array_equal(first, before[f"1/{name}/{i}"])  # learning rate 0
            assert np.any(first != second) == moves


def test_folds_are_kept_apart_in_both_trainings(
    fast: TrainingSet, target: TrainingSet, tuned: Run, files: list[Path], tmp_path: Path
) -> None:
    """Events of fold 0 are spoilt in both samples: the networks of fold 0 stay as they were."""

    def spoil(events: TrainingSet) -> TrainingSet:
        features = np.array(events.features)
        features[events.folds == 0, :3] *= 1.5
        return replace(events, features=features)

    (tmp_path / "fast").mkdir()
    spoilt = pretrain(tmp_path / "fast", spoil(fast))
    assert spoilt[0].read_bytes() == files[0].read_bytes()
    assert spoilt[1].read_bytes() != files[1].read_bytes()
    settings = tune(freeze=["hidden_0"], epochs=4)
    run = fine_tune(tmp_path, spoil(target), settings, spoilt)
    assert run.models[0].read_bytes() == tuned.models[0].read_bytes()
    assert run.models[1].read_bytes() != tuned.models[1].read_bytes()


def test_record_names_what_the_networks_began_with(tuned: Run, files: list[Path]) -> None:
    for fold, network in enumerate(networks(tuned)):
        assert network["pretrained"]["file"] == files[fold].name
        assert network["pretrained"]["number"] == 1
        assert len(network["pretrained"]["sha256"]) == 64
    settings = json.loads(tuned.record.read_text())["settings"]
    assert settings["pretrain"]["freeze"] == ["hidden_0"]
    assert settings["learning_rate"] == SETTINGS.learning_rate


def test_few_events_are_enough_to_be_as_good_as_the_fast_sample(
    target: TrainingSet, tuned: Run, tmp_path: Path
) -> None:
    """900 events from scratch against 900 after 6,000 others, by their AUC on unseen events."""
    scratch = Run(target, [tmp_path / f"{i}.onnx" for i in range(FOLDS)], tmp_path / "r.json")
    train.train_network(target, SETTINGS, 5, scratch.models, scratch.record)
    many = make_set(20_000, seed=23)
    areas = [
        metrics.auc(many.labels, FoldScorer(run.models, NAMES).score(many.features, many.folds),
                    many.weights)
        for run in (scratch, tuned)
    ]  # fmt: skip
    assert areas[1] > areas[0] + 0.002
    assert areas[1] > 0.865  # the best possible is about 0.877


def test_interrupted_fine_tuning_ends_with_the_same_bytes(
    target: TrainingSet, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tune(epochs=6).model_copy(update={"checkpoint_every": 2, "dropout": 0.1})
    whole = fine_tune(tmp_path / "whole", target, settings, files)
    epoch, left = Engine.train_epoch, [5]

    def dying(self: Engine, *arguments: Any) -> float:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return epoch(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "train_epoch", dying)
        with pytest.raises(KeyboardInterrupt):
            fine_tune(tmp_path / "half", target, settings, files)
    count: list[int] = []
    monkeypatch.setattr(
        Engine, "train_epoch", lambda self, *a: (count.append(1), epoch(self, *a))[1]
    )
    again = fine_tune(tmp_path / "half", target, settings, files)
    assert again.content() == whole.content()
    epochs = sum(network["epochs"] for network in networks(whole))
    assert len(count) == epochs - 4  # from the checkpoint after the fourth


def test_networks_of_a_fold_begin_with_one_after_the_other(
    target: TrainingSet, tmp_path: Path
) -> None:
    """Three networks a fold, two pre-trained: the third begins with the first."""
    settings = tune(epochs=0).model_copy(update={"folds": 4, "networks": 3})
    events = make_set(900, 4)
    once = SETTINGS.model_copy(update={"folds": 4, "networks": 2, "epochs": 2})
    files = [tmp_path / f"f{i}.npz" for i in range(4)]
    train.pretrain_network(events, once, 7, files, tmp_path / "p.json")
    models = [tmp_path / f"{i}.onnx" for i in range(4)]
    train.train_network(events, settings, 5, models, tmp_path / "r.json", pretrained=files)
    content = json.loads((tmp_path / "r.json").read_text())["networks"]
    assert [item["pretrained"]["number"] for item in content] == [1, 2, 1] * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: {**found, "features": ["pt_1", "m_vis", "eta_1", "mjj"]}, "features of the"),
        (lambda found: {**found, "hidden_layers": [16]}, r"is \[16\], of those that begin with"),
        (lambda found: {**found, "activation": "gelu"}, "activation of the"),
        (lambda found: {**found, "classes": ["a", "b", "c"]}, "classes of the"),
    ],
)
def test_networks_of_another_shape_are_refused(
    target: TrainingSet,
    files: list[Path],
    change: Callable[[Any], Any],
    message: str,
    tmp_path: Path,
) -> None:
    interface = change(describe_interface(target, SETTINGS))
    path = tmp_path / "fold0.npz"
    write_pretrained(path, PretrainedFold(0, interface, [{"logit": [np.zeros(1)]}]))
    with pytest.raises(TaipanError, match=message) as error:
        fine_tune(tmp_path, target, tune(), [path, *files[1:]])
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_file_of_another_fold_or_none_is_refused(
    target: TrainingSet, files: list[Path], tmp_path: Path
) -> None:
    interface = describe_interface(target, SETTINGS)
    with pytest.raises(TaipanError, match=r"fold of the pre-trained networks is 1, .* 0$"):
        read_pretrained(files[1], 0, interface)
    (tmp_path / "x.npz").write_bytes(files[0].read_bytes()[:500])
    with pytest.raises(TaipanError, match=r"x\.npz: cannot be read as pre-trained networks"):
        read_pretrained(tmp_path / "x.npz", 0, interface)
    with pytest.raises(TaipanError, match="2 files of pre-trained networks for 3 folds"):
        fine_tune(tmp_path, target, tune(), files[:2])


# -- the configuration ---------------------------------------------------------------------------

SKIMS = {
    "catalogue": "cms-2012-skims",
    "skims": "skims",
    "tuning": {"enabled": False},
    "networks": {"plain": None, "decorrelated": None},
    "systematics": {"control_residual": None},
    "fit": {"parameters_of_interest": {"mu": None, "sigma_ztt": None}},
}


def problems(pretrain: dict[str, Any], **more: Any) -> list[str]:
    """Lines about a configuration of the skims with a pre-training."""
    keys = {**SKIMS, "training": {"pretrain": pretrain}, **more}

    def lines() -> Iterator[str]:
        try:
            source = load_source(split_source(keys, ROOT), ROOT)
            config = read_config([], ROOT, **keys)
            catalogue = load_catalogue(config)
            if source is not None:
                check_pretraining_run(config, catalogue, source)
            check_config(config, catalogue, load_analysis(Path(config.folder), config.quantities))
        except TaipanError as error:
            yield from str(error).splitlines()

    return [line for line in lines() if not line.startswith("skims: ")]


@pytest.mark.parametrize(
    ("pretrain", "more", "message"),
    [
        (
            {"catalogue": "fastsin"},
            {},
            "training.pretrain.catalogue: 'fastsin' is not a file of ",
        ),
        (
            {"catalogue": "fastsim", "freeze": ["hidden_7"]},
            {},
            "training.pretrain.freeze[0]: 'hidden_7' is not a layer of the network",
        ),
        (
            {"catalogue": "fastsim", "freeze": ["hidden_0", "hidden_1", "logit"]},
            {},
            "training.pretrain.freeze: no layer is left that could be fine-tuned ",
        ),
        (
            {"catalogue": "fastsim"},
            {"tuning": {"enabled": True}},
            "training.pretrain: the search (tuning.enabled) would change networks ",
        ),
        (
            {"freeze": ["hidden_0"]},
            {},
            "training.pretrain.freeze: ['hidden_0'] is without a pre-training ",
        ),
        (
            {"catalogue": "fastsim", "overrides": {"features": ["pt_1"]}},
            {},
            "training.pretrain.overrides.features: the pre-training has that of the run",
        ),
        (
            {"catalogue": "fastsim", "overrides": {"training": {"hidden_layers": [8]}}},
            {},
            "training.pretrain.overrides.training.hidden_layers: [8] differs from "
            "training.hidden_layers ([64, 64])",
        ),
        (
            {"catalogue": "fastsim", "overrides": {"training": {"epochs": -1}}},
            {},
            "training.pretrain.overrides.training.epochs: -1 is not allowed",
        ),
        (
            {"catalogue": "fastsim", "overrides": {"fastsim": {"events": {"Nothing": 5}}}},
            {},
            "training.pretrain.overrides.fastsim.events.Nothing: 'Nothing' is not a simulated",
        ),
        (
            {"catalogue": "cms-2012-skims"},
            {},
            "training.pretrain.catalogue: 'cms-2012-skims' is the catalogue of the run itself",
        ),
        (
            {"catalogue": "cms-2012-reduced", "overrides": {"files": "x"}},
            {},
            "training.pretrain.catalogue: 'cms-2012-reduced' has files of kind 'nanoaod', "
            "'cms-2012-skims' of kind 'skims', which identify events in another way",
        ),
        (
            {"catalogue": "fastsim", "overrides": {"seed": 5}},
            {"catalogue": "fastsim", "seed": 5},
            "training.pretrain.overrides.seed: 5 is the seed of the run",
        ),
    ],
)
def test_bad_pretraining_is_one_line_before_anything_runs(
    pretrain: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    found = problems(pretrain, **more)
    assert [line for line in found if line.startswith(message)], found
    assert [line for line in found if "is not a folder" not in line] == found[:1]


def test_pretraining_is_a_run_of_its_own() -> None:
    overlay = ROOT / "config/examples/pretrained.yaml"
    config, source = read_config([overlay], ROOT), read_source([overlay], ROOT)
    assert source is not None
    assert (config.catalogue, source.catalogue) == ("cms-2012-skims", "fastsim")
    assert source.results == "results/pretrained/htautau/pretraining"
    assert source.seed != config.seed
    assert not source.training.pretrain.enabled
    assert source.fastsim.events["DYJetsToLL"] == 160_000
    assert (config.training.networks, source.training.networks) == (4, 1)
    assert source.training.hidden_layers == config.training.hidden_layers
    # what is said of the fine-tuning alone changes nothing of it
    other = {**SKIMS, "training": {"pretrain": {"catalogue": "fastsim", "learning_rate": 0.5}}}
    first, second = (
        load_source(
            split_source({**other, "training": {"pretrain": {"catalogue": "fastsim", **more}}},
                         ROOT), ROOT)
        for more in ({"learning_rate": 0.5}, {"epochs": 0, "freeze": ["logit"]})
    )  # fmt: skip
    assert first == second


def test_each_of_several_networks_may_be_pretrained_or_not() -> None:
    keys = {
        **SKIMS,
        "networks": {
            "plain": {},
            "decorrelated": None,
            "tuned": {"l2": 0.1, "pretrain": {"catalogue": "fastsim",
                                              "overrides": {"training": {"epochs": 9}}}},
        },
    }  # fmt: skip
    source = load_source(split_source(keys, ROOT), ROOT)
    assert source is not None
    assert {name: item.epochs for name, item in source.networks.items()} == {"plain": 9, "tuned": 9}
    assert source.networks["tuned"].l2 == 0.1
    keys["networks"]["other"] = {"pretrain": {"catalogue": "cms-2012"}}  # type: ignore[index]
    with pytest.raises(TaipanError, match=r"networks\.other\.pretrain\.catalogue: 'cms-2012' dif"):
        split_source(keys, ROOT)


def test_no_pretraining_in_several_eras() -> None:
    keys = {
        "analysis": "zmumu",
        "eras": {"A": {}, "B": {}},
        "features": ["pt_1"],
        "training": {"pretrain": {"catalogue": "fastsim"}},
    }
    assert split_source(keys, ROOT) == {}
    configs = load_eras(keys, ROOT)
    lines = check_eras({name: (one, load_catalogue(one)) for name, one in configs.items()})
    found = [line for line in lines if "pretrain" in line]
    assert found[0].startswith("eras.A.training.pretrain.catalogue: 'fastsim': a run of several")
