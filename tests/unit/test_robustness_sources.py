"""Events moved by the sources of systematics; a planted weakness must be found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from taipan.atomic import read_json, write_json
from taipan.certify.fitted import judge_robustness
from taipan.config.sections.robustness import Robustness
from taipan.errors import TaipanError
from taipan.inference import run_inference
from taipan.robustness.events import AttackedSample
from taipan.robustness.measure import Attacker, MovedTemplates
from taipan.robustness.nuisance import NAME, add_attack, compare_shifts, measure_effect
from taipan.robustness.sources import Sources, attack_by_sources, draw_source_noise
from taipan.robustness.text import write_robustness
from taipan.stages.fit_attack import fit_attack

EDGES = np.linspace(0.0, 1.0, 6)


@dataclass(frozen=True)
class Shift:
    """A source that moves one stored column by so much a σ."""

    column: str
    size: float

    def shift_columns(self, columns: Any, analysis: Any, pull: float) -> Any:
        return {**columns, self.column: columns[self.column] + self.size * pull}


def compute(columns: Any) -> dict[str, np.ndarray]:
    a, b = columns["a"], columns["b"]
    return {"a": a, "b": b, "product": a * b, "passes": np.ones(len(a), bool)}


ANALYSIS: Any = SimpleNamespace(compute=compute)


def sources(size: float = 1.0) -> Sources:
    shifts: Any = {"b_scale": Shift("b", size), "a_scale": Shift("a", 0.01)}
    return Sources(shifts, ANALYSIS, ("a", "b", "product"))


def make_sample(
    name: str, n: int, total: float, size: float = 1.0, seed: int = 3
) -> AttackedSample:
    """Signal and background are 2 apart in both features; `a` is known well, `b` to 1 σ."""
    rng = np.random.default_rng(seed)
    is_signal = name == "signal"
    place = 1.0 if is_signal else -1.0
    columns = {"a": rng.normal(place, 0.7, n), "b": rng.normal(place, 0.7, n)}
    weights = np.full(n, total / n)
    return AttackedSample(name, is_signal, columns, weights, np.zeros(n, int), sources(size))


def network(weight_a: float, weight_b: float) -> Any:
    def score(events: np.ndarray, folds: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-(weight_a * events[:, 0] + weight_b * events[:, 1])))

    return score


def attacker(score: Any, **settings: Any) -> Attacker:
    chosen = Robustness(sizes=[0.5, 1.0, 2.0], shuffled=1, max_distance=0.1, **settings)
    return Attacker(score, chosen, [], "a > -99", EDGES, 7)


def workspace(templates: dict[str, MovedTemplates]) -> dict[str, Any]:
    strength = {"name": "mu", "type": "normfactor", "data": None}
    rate = {"name": "rate", "type": "normsys", "data": {"hi": 1.05, "lo": 0.95}}
    samples = [
        {"name": name, "data": item.nominal.tolist(), "modifiers": [modifier]}
        for (name, item), modifier in zip(templates.items(), (strength, rate), strict=True)
    ]
    total = np.sum([item.nominal for item in templates.values()], axis=0)
    parameters = [{"name": "mu", "bounds": [[-10.0, 10.0]], "inits": [1.0]}]
    return {
        "channels": [{"name": "signal", "samples": samples}],
        "observations": [{"name": "signal", "data": total.tolist()}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }


def attack(weight_a: float, weight_b: float) -> tuple[dict[str, Any], dict[str, MovedTemplates]]:
    chosen = attacker(network(weight_a, weight_b))
    pair = {"signal": 200.0, "background": 2000.0}
    found = {name: chosen.attack(make_sample(name, 600, total)) for name, total in pair.items()}
    return {k: v[0] for k, v in found.items()}, {k: v[1] for k, v in found.items()}


def write_result(folder: Path, templates: dict[str, MovedTemplates]) -> dict[str, float]:
    effect = measure_effect(workspace(templates), "signal", templates)
    (folder / "robustness").mkdir(parents=True)
    write_json(folder / "robustness" / "robustness.json", {"result": effect})
    return effect


def test_derived_features_follow_what_is_shifted() -> None:
    sample = make_sample("background", 300, 300.0)
    result = attack_by_sources(
        sample.sources, sample.columns, lambda events: network(1.0, 1.0)(events, events), 1.0, 1.0
    )
    moved = result.events
    assert np.abs(result.pulls).max() == 1.0
    assert moved[:, 1] == pytest.approx(sample.columns["b"] + result.pulls[:, 0])
    assert moved[:, 2] == pytest.approx(moved[:, 0] * moved[:, 1])
    assert (result.pulls == 1.0).all()  # both sources raise the score of every event


def test_sigma_of_a_derived_feature_is_that_of_its_sources() -> None:
    sample = make_sample("background", 50, 50.0, size=0.5)
    sigma = sample.sources.measure_sigma(sample.columns)
    assert sigma[:, 1] == pytest.approx(0.5)
    a, b = sample.columns["a"], sample.columns["b"]
    assert sigma[:, 2] == pytest.approx(np.hypot(0.5 * a, 0.01 * b))


def test_an_attack_of_no_size_moves_nothing_and_a_larger_one_never_less() -> None:
    sample = make_sample("background", 200, 200.0)

    def score(events: np.ndarray) -> np.ndarray:
        return np.asarray(network(0.5, 1.0)(events, events))

    none = attack_by_sources(sample.sources, sample.columns, score, 1.0, 0.0)
    assert not none.pulls.any()
    one = attack_by_sources(sample.sources, sample.columns, score, 1.0, 1.0)
    two = attack_by_sources(sample.sources, sample.columns, score, 1.0, 2.0, start=one)
    assert (none.scores <= one.scores).all()
    assert (one.scores <= two.scores).all()
    assert np.abs(one.pulls).max() == 1.0
    # both sources raise the score: all of them reach the end of what is allowed, at each size
    assert (two.pulls == 2.0).all()


def test_a_single_source_can_be_pulled_as_far_as_the_size_says() -> None:
    sample = make_sample("background", 100, 100.0)
    shifts: Any = {"b_scale": Shift("b", 1.0)}
    alone = Sources(shifts, ANALYSIS, ("a", "b", "product"))
    result = attack_by_sources(
        alone, sample.columns, lambda events: network(0.0, 1.0)(events, events), 1.0, 2.0
    )
    assert result.events[:, 1] == pytest.approx(sample.columns["b"] + 2.0)


def test_the_weight_of_the_size_is_that_of_the_configuration() -> None:
    flips = []
    for alpha in (0.1, 3.0):
        chosen = attacker(network(1.0, 1.5), alpha=alpha)
        numbers, _ = chosen.attack(make_sample("background", 400, 400.0))
        flips.append(numbers["minifool"]["flips"][1])
    assert flips[1]["chi2"] < 0.2 * flips[0]["chi2"]
    assert flips[1]["right"] < flips[0]["right"]


def test_the_control_has_the_size_of_the_attack() -> None:
    pulls = np.tile([1.0, -0.5], (400, 1))
    noise = draw_source_noise(pulls, 1.0, np.random.default_rng(1), steps=50)
    assert (noise**2).sum(axis=1) == pytest.approx(1.25, rel=0.05)
    assert noise.mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.15)


def test_a_network_on_a_badly_known_feature_is_found_and_red(tmp_path: Path) -> None:
    """Its feature `b` is known to 1.0, half of what is between signal and background."""
    numbers, templates = attack(0.0, 3.0)
    (weak,) = [x for x in numbers["background"]["physical"]["sizes"] if x["size"] == 1.0]
    assert weak["fooled"] > 0.25
    assert weak["fooled"] > 2.0 * weak["control"]
    effect = write_result(tmp_path, templates)
    assert abs(effect["shift"]) > 1.0
    assert effect["sigma_with"] > 1.1 * effect["sigma"]
    (line,) = judge_robustness(tmp_path)
    assert line.verdict == "failed"


def test_the_fit_with_the_attack_stands_beside_the_result(tmp_path: Path) -> None:
    _, templates = attack(0.0, 3.0)
    regions = {"signal": {"edges_after": EDGES.tolist()}}
    space, record = (
        workspace(templates),
        {"observable": "score", "blinded": False, "regions": regions},
    )
    # data that are attacked themselves: half of what the template does
    moved = [item.nominal + 0.5 * (item.attacked - item.nominal) for item in templates.values()]
    space["observations"][0]["data"] = np.sum(moved, axis=0).tolist()
    samples = {name: {"templates": item.describe()} for name, item in templates.items()}
    files = {name: str(tmp_path / f"{name}.json") for name in ("space", "record", "found", "plain")}
    write_json(files["space"], space)
    write_json(files["record"], record)
    write_json(files["found"], {"region": "signal", "samples": samples})
    write_json(files["plain"], run_inference(space, record))
    out = (str(tmp_path / "fit.json"), str(tmp_path / "fit.md"))
    fit_attack(files["space"], files["record"], files["found"], files["plain"], 0.95, *out)
    plain, both = read_json(files["plain"]), read_json(out[0])
    assert both["expected"]["sigma"] > 1.1 * plain["expected"]["sigma"]
    # the model that knows the attack finds the signal that is there, the other does not
    assert abs(both["observed"]["mu_hat"] - 1.0) < 0.2
    assert abs(plain["observed"]["mu_hat"] - 1.0) > 2.0 * abs(both["observed"]["mu_hat"] - 1.0)
    (pull,) = [x["value"] for x in both["observed"]["parameters"] if x["name"] == NAME]
    assert pull == pytest.approx(0.5, abs=0.25)
    assert f"The data pull the attack by {pull:+.2f} σ." in Path(out[1]).read_text(encoding="utf-8")
    assert read_json(files["space"]) == space  # as it was
    write_json(files["found"], {"region": "signal", "samples": {
        name: {"templates": {**item["templates"], "attacked": item["templates"]["nominal"]}}
        for name, item in samples.items()}})  # fmt: skip
    with pytest.raises(TaipanError, match="the attack moves no template"):
        fit_attack(files["space"], files["record"], files["found"], files["plain"], 0.95, *out)


def test_a_network_on_a_well_known_feature_is_green(tmp_path: Path) -> None:
    numbers, templates = attack(3.0, 0.0)
    (sound,) = [x for x in numbers["background"]["physical"]["sizes"] if x["size"] == 1.0]
    assert sound["fooled"] < 0.02
    effect = write_result(tmp_path, templates)
    assert abs(effect["shift"]) < 0.3
    assert effect["sigma_with"] == pytest.approx(effect["sigma"], rel=0.05)
    (line,) = judge_robustness(tmp_path)
    assert line.verdict == "passed"


def test_without_attacks_the_line_is_open_and_without_networks_there_is_none(
    tmp_path: Path,
) -> None:
    assert judge_robustness(tmp_path) == []
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "fold0.onnx").write_bytes(b"")
    (line,) = judge_robustness(tmp_path)
    assert line.verdict == "not measured"


def test_all_attacks_stay_in_their_bounds_and_grow_with_size() -> None:
    numbers, _ = attack(1.0, 1.5)
    found = numbers["background"]
    assert found["held"] == []
    assert found["sources"] == ["b_scale", "a_scale"]
    for kind in ("physical", "hidden"):
        fooled = [item["fooled"] for item in found[kind]["sizes"]]
        assert fooled == sorted(fooled)
    assert all(item["distance"] <= 0.1 for item in found["hidden"]["sizes"])
    assert all(item["hidden"] <= item["fooled"] for item in found["physical"]["sizes"])
    assert found["physical"]["space"].startswith("sources: ")
    assert "breaks relations" in found["minifool"]["space"]


def test_categories_and_counts_are_held_but_follow_the_objects() -> None:
    chosen = attacker(network(1.0, 1.5))
    categorical = replace(chosen, categorical=["b"])
    numbers, _ = categorical.attack(make_sample("background", 300, 300.0))
    assert numbers["held"] == ["b"]
    sample = make_sample("background", 300, 300.0)
    counted = replace(sample, columns={**sample.columns, "b": np.round(sample.columns["b"])})
    numbers, _ = chosen.attack(counted)
    assert numbers["held"] == ["b"]
    assert numbers["physical"]["sizes"][1]["fooled"] > 0.1  # objects are shifted all the same


def test_ratio_of_shifts_by_hand() -> None:
    first = MovedTemplates(np.array([10.0, 5.0]), np.array([13.0, 5.0]), {"x": np.array([3.0, 0])})
    second = MovedTemplates(
        np.array([4.0, 1.0]), np.array([5.0, 1.0]), {"x": np.array([1.0, 0]), "y": np.array([3, 0])}
    )
    found = compare_shifts({"a": first, "b": second})
    # attack 3 + 1; x moves 3 + 1, y 3: √(16 + 9) = 5
    assert found["attack"] == [4.0, 0.0]
    assert found["systematics"] == [5.0, 0.0]
    assert found["ratio"] == [pytest.approx(0.8), 0.0]


def test_the_parameter_of_an_attack_moves_its_samples_alone() -> None:
    moved = MovedTemplates(np.array([10.0, 0.0]), np.array([12.0, 0.0]), {})
    space = workspace({"s": moved, "b": moved})
    found = add_attack(space, "signal", {"b": moved})
    signal, background = found["channels"][0]["samples"]
    assert [item["name"] for item in signal["modifiers"]] == ["mu"]
    (added,) = [item for item in background["modifiers"] if item["name"] == NAME]
    assert added["data"]["hi_data"] == pytest.approx([12.0, 0.0])
    assert added["data"]["lo_data"] == pytest.approx([8.0, 0.0])
    assert all(item["name"] != NAME for item in space["channels"][0]["samples"][1]["modifiers"])


def test_a_tree_is_attacked_by_its_sources_and_shuffled_but_has_no_gradient() -> None:
    def tree(events: np.ndarray, folds: np.ndarray) -> np.ndarray:
        return np.where(events[:, 1] > 0.0, 0.9, 0.1)

    numbers, _ = attacker(tree).attack(make_sample("background", 400, 400.0))
    assert "minifool" not in numbers
    assert numbers["physical"]["sizes"][1]["fooled"] > 0.2
    assert numbers["shuffle"]["fooled"] > 0.2


def test_the_page_names_what_was_not_attacked() -> None:
    numbers, templates = attack(1.0, 1.0)
    content = {
        "samples": numbers,
        "not_attacked": ["fakes"],
        "edges": EDGES.tolist(),
        "templates": compare_shifts(templates),
        "result": {"sigma": 1.0, "sigma_with": 1.022, "shift": 0.31},
    }
    page = write_robustness(content)
    assert "widen the expected interval by 2.2 %" in page
    assert "Not attacked: fakes." in page
    assert "| background | 1 |" in page
