"""The stage `measure_robustness` on a few events, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taipan.atomic import read_json, write_json
from taipan.checks.robustness import check_robustness
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.events.inputs import SkimmedEvents
from taipan.nn.inputs import TrainingInputs
from taipan.pieces import Pieces
from taipan.robustness.events import AttackedSample
from taipan.robustness.measure import Attacker
from taipan.robustness.opening import AttackFiles
from taipan.stages.measure_robustness import measure_robustness
from tests.tiny_analysis import write_events, write_network
from tests.unit.test_scripts_by_hand import definitions, normalisation

EDGES = [0.0, 0.5, 1.0]
N = 300


def make_config(**robustness: Any) -> Config:
    settings = {"bins": 20, "shuffled": 1, "resolutions": {"x": 0.5}, **robustness}
    training = {"region": "high", "folds": 3}
    return Config.from_plain(
        definitions(categorical={}, corrections={}, training=training, robustness=settings)
    )


def run(
    folder: Path, config: Config, fitted: str = "high", number: int = N, parts: str = ""
) -> dict[str, Any]:
    """Events of signal at x = 1 − fold and of background at −1 − fold, all in the region."""
    rng, files = np.random.default_rng(2), {}
    for dataset, place in (("S", 1.0), ("B", -1.0)):
        x = rng.normal(place, 0.7, number) - np.arange(number) % 3
        path = folder / f"{dataset}.parquet"
        files[dataset] = [write_events(path, event_hash=np.arange(number), x=x, y=np.ones(number))]
    write_json(folder / "norm.json", normalisation(S=0.1, B=2.0))
    write_json(folder / "pileup.json", {"enabled": False, "ratio": [1.0]})
    strength = {"name": "mu", "type": "normfactor", "data": None}
    rate = {"name": "rate", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    samples = [
        {"name": "sig", "data": [3.0, 27.0], "modifiers": [strength]},
        {"name": "bkg", "data": [550.0, 50.0], "modifiers": [rate]},
    ]
    parameters = [{"name": "mu", "bounds": [[-10.0, 10.0]], "inits": [1.0]}]
    workspace = {
        "channels": [{"name": "high", "samples": samples}],
        "observations": [{"name": "high", "data": [553.0, 77.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }
    write_json(folder / "workspace.json", workspace)
    write_json(folder / "record.json", {"regions": {fitted: {"edges_after": EDGES}}})
    events = SkimmedEvents(files, str(folder / "norm.json"), str(folder / "pileup.json"))
    files = AttackFiles(
        TrainingInputs(events, str(folder / "unused.json")),
        [write_network(folder / f"{fold}.onnx", fold, 3) for fold in range(3)],
        str(folder / "record.json"),
    )
    measure_robustness(
        files,
        str(folder / "workspace.json"),
        config,
        5,
        1,
        str(folder / "robustness.json"),
        str(folder / "robustness.md"),
        parts,
    )
    found: dict[str, Any] = read_json(folder / "robustness.json")
    return found


def test_each_event_is_attacked_with_the_network_that_never_saw_it(tmp_path: Path) -> None:
    found = run(tmp_path, make_config())
    assert list(found["samples"]) == ["sig", "bkg"]
    assert found["not_attacked"] == ["jets"]
    background = found["samples"]["bkg"]
    assert background["yield"] == pytest.approx(2.0 * N)
    # x + fold is N(−1, 0.7²): below 0 in 92.3 % of the events, with any other network in fewer
    assert background["right"] == pytest.approx(0.923, abs=0.03)
    assert background["sigma"] == {"x": 0.5}
    # within ±σ = 0.5: N(−1, 0.7²) from −0.5 to 0 over below 0, (0.9234 − 0.7625) / 0.9234 = 0.174
    flips = {item["size"]: item for item in background["minifool"]["flips"]}
    assert 0.0 < flips[1.0]["right"] <= 0.174 + 0.04
    assert flips[2.0]["right"] > flips[1.0]["control_right"]
    # no source moves the objects, so that no template moves, and the fit stays
    assert "physical" not in background
    assert found["templates"]["attack"] == [0.0, 0.0]
    assert found["result"]["shift"] == pytest.approx(0.0, abs=1e-6)
    assert found["result"]["sigma_with"] == pytest.approx(found["result"]["sigma"], rel=1e-6)
    assert "Not attacked: jets." in (tmp_path / "robustness.md").read_text(encoding="utf-8")


def test_without_any_uncertainty_features_are_only_shuffled(tmp_path: Path) -> None:
    found = run(tmp_path, make_config(resolutions={}))
    assert found["samples"]["sig"]["held"] == ["x"]
    assert "minifool" not in found["samples"]["sig"]
    assert found["samples"]["sig"]["shuffle"]["fooled"] > 0.9  # of its own distribution


def test_a_killed_stage_goes_on_with_the_samples_that_were_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacked, attack = [], Attacker.attack

    def die_of_background(self: Attacker, sample: AttackedSample) -> Any:
        attacked.append(sample.name)
        if sample.name == "bkg" and attacked.count("bkg") == 1:
            raise KeyboardInterrupt
        return attack(self, sample)

    monkeypatch.setattr(Attacker, "attack", die_of_background)
    parts = str(tmp_path / "parts")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, make_config(), parts=parts)
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["sig.json"]
    again = run(tmp_path, make_config(), parts=parts)
    assert attacked == ["sig", "bkg", "bkg"]
    assert not (tmp_path / "parts").exists()
    assert again == run(tmp_path, make_config())  # as if nobody had killed it


def test_finished_samples_of_other_settings_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = str(tmp_path / "parts")
    monkeypatch.setattr(Pieces, "remove", lambda self: None)
    first = run(tmp_path, make_config(), parts=parts)
    other = run(tmp_path, make_config(resolutions={"x": 0.1}), parts=parts)
    assert other["samples"]["bkg"]["sigma"] == {"x": 0.1} != first["samples"]["bkg"]["sigma"]
    (tmp_path / "parts" / "sig.json").write_text("{", encoding="utf-8")  # a damaged file
    assert run(tmp_path, make_config(resolutions={"x": 0.1}), parts=parts) == other


def test_what_cannot_be_attacked_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match="'high' is not fitted \\(low\\)"):
        run(tmp_path, make_config(), fitted="low")
    with pytest.raises(TaipanError, match="100 bins, but sig has 60 events in high"):
        run(tmp_path, make_config(bins=100), number=60)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"resolutions": {"z": 1.0}}, "robustness.resolutions.z"),
        ({"sizes": [1.0, 1.0]}, "robustness.sizes[1]: 1 is listed twice"),
        ({"events": 100, "bins": 150}, "robustness.bins: 150 bins for 100 events"),
        ({"groups": {"all": ["x"]}}, "robustness.groups.all: no feature is left to train with"),
        ({"groups": {"some": ["q"]}}, "robustness.groups.some[0]"),
    ],
)
def test_bad_settings_are_named_before_anything_runs(changes: dict[str, Any], said: str) -> None:
    (problem,) = check_robustness(make_config(**changes))
    assert said in problem


def test_a_categorical_feature_has_no_resolution() -> None:
    config = make_config().model_copy(update={"categorical": {"x": None}})
    problems = list(check_robustness(config))
    assert problems[0] == (
        "robustness.resolutions.x: 'x' is categorical: it has values, and no uncertainty"
    )
