"""Weights from correctionlib files and weights measured in data."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.config.sections.weights import Measurement, Weight
from taipan.errors import TaipanError
from taipan.events.corrections import measured_ratio, read_correction, write_corrections
from taipan.events.shapes import measure_weight
from tests.made_up_estimates import measured, same_sign

QUANTITIES = {
    "passes": np.array([True, True, True]),
    "pt": np.array([10.0, 30.0, np.nan]),
    "dm": np.array([0, 1, 10]),
}


@pytest.fixture
def file(tmp_path: Path) -> str:
    document: dict[str, Any] = write_corrections(
        {"slope": ("pt", [0.0, 20.0, 40.0], np.array([0.9, 1.2]))}
    )
    document["corrections"].append(
        {
            "name": "by_mode",
            "version": 1,
            "inputs": [{"name": "mode", "type": "int"}, {"name": "shift", "type": "string"}],
            "output": {"name": "weight", "type": "real"},
            "data": {
                "nodetype": "category",
                "input": "shift",
                "content": [
                    {
                        "key": "up",
                        "value": {
                            "nodetype": "category",
                            "input": "mode",
                            "content": [{"key": i, "value": 1.0 + i} for i in (0, 1, 10)],
                        },
                    }
                ],
            },
        }
    )
    path = tmp_path / "weights.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_weights_are_read_by_quantity(file: str) -> None:
    slope = read_correction("slope", Weight(file=file), QUANTITIES)
    # the last event has no such jet: nothing is known, nothing is changed
    assert slope.evaluate(QUANTITIES).tolist() == [0.9, 1.2, 1.0]
    weight = Weight(file=file, correction="by_mode", inputs={"mode": "dm", "shift": "up"})
    modes = read_correction("mode_weight", weight, QUANTITIES)
    assert modes.evaluate(QUANTITIES).tolist() == [1.0, 2.0, 11.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correction": "none"}, r"weights.w.correction: 'none' is not in .* \(by_mode, slope\)"),
        ({"correction": "slope", "inputs": {"pT": "pt"}}, r"weights.w.inputs.pT: not an input"),
        ({"correction": "slope", "inputs": {"pt": "mass"}}, "'mass' is neither a quantity"),
        ({"file": "nowhere.json"}, "weights.w.file: nowhere.json: not a correctionlib file"),
    ],
)
def test_bad_weights_are_named(file: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TaipanError, match=message):
        read_correction("w", Weight(**{"file": file, **changes}), QUANTITIES)


def test_packed_file_is_read_and_bounded(file: str, tmp_path: Path) -> None:
    packed, bomb = tmp_path / "packed.json.gz", tmp_path / "bomb.json.gz"
    packed.write_bytes(gzip.compress(Path(file).read_bytes()))
    weight = Weight(file=str(packed), correction="slope")
    read_correction("w", weight, QUANTITIES)
    bomb.write_bytes(gzip.compress(b" " * (129 * 1024**2)))
    with pytest.raises(TaipanError, match=r"bomb\.json\.gz: 128 MiB of JSON, at most 128 MiB"):
        read_correction("w", Weight(file=str(bomb)), QUANTITIES)
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(TaipanError, match="not a correctionlib file"):
        read_correction("w", weight, QUANTITIES)


def test_value_that_a_correction_refuses_is_named(file: str) -> None:
    weight = Weight(file=file, correction="by_mode", inputs={"mode": "dm", "shift": "sideways"})
    with pytest.raises(TaipanError, match=r"weights.w: the correction refuses"):
        read_correction("w", weight, QUANTITIES).evaluate(QUANTITIES)


def test_absurd_weight_of_a_correction_is_named(tmp_path: Path) -> None:
    """One event would outweigh its sample; zeros do not count in the median."""
    for high, absurd in ((1.9e6, False), (2.1e6, True)):
        document = write_corrections({"w": ("pt", [0.0, 20.0, 40.0], np.array([2.0, high]))})
        path = tmp_path / "w.json"
        path.write_text(json.dumps(document))
        correction = read_correction("w", Weight(file=str(path)), QUANTITIES)
        quantities = {"passes": np.ones(4, bool), "pt": np.array([10.0, 10.0, 10.0, 30.0])}
        if not absurd:
            assert correction.evaluate(quantities).tolist() == [2.0, 2.0, 2.0, high]
            continue
        with pytest.raises(
            TaipanError, match=r"^weights.w: the correction gives 2.1e\+06, but the"
        ):
            correction.evaluate(quantities)


def test_correction_that_turns_every_event_negative_is_named(tmp_path: Path) -> None:
    document = write_corrections({"w": ("pt", [0.0, 20.0, 40.0], np.array([-1.0, 0.0]))})
    path = tmp_path / "w.json"
    path.write_text(json.dumps(document))
    correction = read_correction("w", Weight(file=str(path)), QUANTITIES)
    momenta = np.array([10.0] * 6 + [30.0] * 6)
    expected = "^weights.w: the correction gives no positive number for any of 12 events .-1 to 0;"
    with pytest.raises(TaipanError, match=expected):
        correction.evaluate({"passes": np.ones(12, bool), "pt": momenta})


def test_event_for_which_a_correction_is_not_finite_is_shown(tmp_path: Path) -> None:
    document = write_corrections({"w": ("pt", [0.0, 20.0, 40.0], np.array([1.0, 2.0]))})
    formula = {
        "nodetype": "formula", "expression": "log(x-20)", "parser": "TFormula",
        "variables": ["pt"],
    }  # fmt: skip
    document["corrections"][0]["data"] = formula
    path = tmp_path / "w.json"
    path.write_text(json.dumps(document))
    correction = read_correction("w", Weight(file=str(path)), QUANTITIES)
    expected = (
        r"^weights.w: the correction gives a number not finite \(1 of 3 events, such as pt = 10;"
    )
    with pytest.raises(TaipanError, match=expected):
        correction.evaluate({"passes": np.ones(3, bool), "pt": np.array([25.0, 10.0, 30.0])})


def test_correction_that_is_zero_for_all_events_is_named(tmp_path: Path) -> None:
    """The sample vanished from the templates of the variation without a word."""
    document = write_corrections({"w": ("pt", [0.0, 20.0, 40.0], np.array([0.0, 1.0]))})
    path = tmp_path / "w.json"
    path.write_text(json.dumps(document))
    correction = read_correction("w", Weight(file=str(path)), QUANTITIES)
    momenta = np.full(12, 10.0)
    with pytest.raises(TaipanError, match=r"^weights.w: the correction gives 0 for all of 12 ev"):
        correction.evaluate({"passes": np.ones(12, bool), "pt": momenta})
    few = correction.evaluate({"passes": np.ones(9, bool), "pt": momenta[:9]})
    assert few.tolist() == [0.0] * 9
    momenta[3] = 30.0
    some = correction.evaluate({"passes": np.ones(12, bool), "pt": momenta})
    assert some.sum() == some[3] == 1.0


@pytest.mark.parametrize("content", [{}, {"file": "a", "measure": {}}])
def test_a_weight_has_one_source(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"either `file` or `measure`|Field required"):
        Weight(**content)


def test_measured_ratio_is_one_on_average() -> None:
    above, below = np.array([50.0, 30.0, -1.0]), np.array([100.0, 50.0, 10.0])
    names = ("data in region 'a'", "sample 'W' in region 'a'")
    ratio = measured_ratio((above, above), (below, below), names)
    assert ratio[2] == 1.0  # nothing is known
    np.testing.assert_allclose(ratio[:2], np.array([0.5, 0.6]) * 160.0 / 79.0)
    with pytest.raises(TaipanError, match=r"^Σw = -1 of data in region 'a'; it must be positive$"):
        measured_ratio((-above / 79.0, above), (below, below), names)
    with pytest.raises(TaipanError, match=r"^Σw = 0 of sample 'W' in region 'a'; it must be pos"):
        measured_ratio((above, above), (0.0 * below, below), names)


def test_what_is_measured() -> None:
    """W from data minus the rest and minus QCD; QCD from the ratio of two regions."""
    samples = {
        "W": Sample(datasets=["w"]),
        "TT": Sample(datasets=["tt"]),
        "QCD": Sample(estimate=same_sign(os="ss")),
        "H": Sample(datasets=["h"], role="signal"),
    }
    regions = {
        "os": Region(cut="a > 1"),
        "ss": Region(cut="a < 1"),
    }
    yields = {
        ("os", "data"): [110.0, 260.0],
        ("os", "W"): [100.0, 200.0],
        ("os", "TT"): [10.0, 40.0],
        ("ss", "data"): [30.0, 40.0],
        ("ss", "W"): [20.0, 20.0],
        ("ss", "TT"): [0.0, 10.0],
    }
    counts = {("w", *key): np.array([v, v]) for key, v in yields.items()}
    measure = Measurement(sample="W", region="os", quantity="x", binning=[0, 1, 2])
    found = measure_weight("w", measure, counts, samples, regions, measured(samples, 2.0))
    # data - TT - 2·(SS data - SS simulation) = [80, 200] over W = [100, 200]
    np.testing.assert_allclose(found, np.array([0.8, 1.0]) * 300.0 / 280.0)
    measure = Measurement(
        sample="QCD", region="os", denominator="ss", quantity="x", binning=[0, 1, 2]
    )
    counts["w", "os", "data"] = np.array([[130.0, 300.0]] * 2)
    found = measure_weight("w", measure, counts, samples, regions, measured(samples, 2.0))
    # [20, 60] over [10, 10]
    np.testing.assert_allclose(found, np.array([2.0, 5.0]) * 0.25 / 1.0 * np.array([1, 1.2]))


def test_region_without_events_is_named() -> None:
    """The same-sign estimate of W's control region is negative there, which hid the reason."""
    samples = {"W": Sample(datasets=["w"]), "QCD": Sample(estimate=same_sign(os="ss"))}
    regions = {"os": Region(cut="a > 1"), "ss": Region(cut="a < 1")}
    counts = {
        ("w", region, sample): np.full((2, 2), value)
        for region, sample, value in (
            ("os", "data", 0.0),
            ("os", "W", 0.0),
            ("ss", "data", 9.0),
            ("ss", "W", 2.0),
        )
    }

    def message(**changes: str) -> str:
        measure = Measurement(
            **{"sample": "W", "region": "os", "quantity": "x", "binning": [0, 1, 2], **changes}
        )
        with pytest.raises(TaipanError) as error:
            measure_weight("w", measure, counts, samples, regions, measured(samples, 2.0))
        return str(error.value)

    empty = (
        "regions.os.cut: 'a > 1': no event of any process passes it; weights.w is measured there"
    )
    assert message() == empty
    assert message(sample="QCD", region="ss", denominator="os") == empty
    counts["w", "os", "data"] = np.full((2, 2), 1.0)
    counts["w", "os", "W"] = np.full((2, 2), 3.0)
    # 2 - 2·(18 - 4) = -26, both bins together
    assert message() == (
        "weights.w: Σw = -26 of data minus other processes in region 'os'; it must be positive"
    )
    assert message(sample="QCD", region="ss", denominator="os") == (
        "weights.w: Σw = -4 of data minus simulation in region 'os'; it must be positive"
    )
