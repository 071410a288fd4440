"""Scripts on a few events, against numbers that are worked out in the comments."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import hist
import numpy as np
import pytest

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.config.sections.classifier import NetworkClassifier
from taipan.config.sections.templates import Binning, Templates
from taipan.errors import TaipanError
from taipan.events.inputs import SkimmedEvents
from taipan.templates.empty import empty_histogram
from taipan.templates.store import read_histograms, write_histograms
from tests.made_up_estimates import same_sign
from tests.tiny_analysis import write_events, write_network

HASHES = np.arange(9)  # fold of event i: i mod 3
X = [-0.5, -0.5, -0.5, 1.0, 1.0, 1.0, -2.5, -2.5, -2.5]
Y = [1, -1, 1, -1, 1, -1, 1, -1, 1]

TINY = str(Path(__file__).parents[1] / "tiny_analysis")


def load_stage(name: str) -> ModuleType:
    return importlib.import_module(f"taipan.stages.{name}")


def definitions(**more: Any) -> dict[str, Any]:
    """Slice of the configuration: signal region y > 0 with its partner y < 0."""
    return {
        "analysis": "tiny",
        "folder": TINY,
        "quantities": {},
        "features": ["x"],
        "samples": {
            "sig": {"label": "sig", "role": "signal", "datasets": ["S"]},
            "bkg": {"label": "bkg", "role": "background", "datasets": ["B"]},
            "jets": {"label": "jets", "estimate": same_sign(high="low").model_dump()},
        },
        "regions": {
            "high": {"cut": "y > 0", "role": "signal", "label": "high"},
            "low": {"cut": "y < 0", "role": "estimate", "label": "low"},
        },
        "observables": {"nn_score": {"label": "score", "binning": [0.0, 0.9, 1.0]}},
        "control_plots": {"x": {"label": "x", "binning": [-3.0, 0.0, 3.0]}},
        "systematics": {},
        "weights": {},
        **more,
    }


def normalisation(**scales: float | None) -> dict[str, Any]:
    """Content of the file: scale of each dataset, None for data."""
    return {
        name: {
            "dataset": name,
            "is_data": scale is None,
            "scale": 1.0 if scale is None else scale,
            "generated_events": 9,
            "sumw": 9.0,
            "luminosity": 1.0,
        }
        for name, scale in scales.items()
    }


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Any]:
    """Networks of three folds and the small files that the scripts read."""
    write_json(tmp_path / "norm.json", normalisation(S=0.5, B=2.0, Data=None))
    write_json(tmp_path / "pileup.json", {"enabled": False, "ratio": [1.0]})
    write_json(tmp_path / "shapes.json", {})
    return {
        "models": [write_network(tmp_path / f"{fold}.onnx", fold, 3) for fold in range(3)],
        "normalisation": str(tmp_path / "norm.json"),
        "pileup": str(tmp_path / "pileup.json"),
        "shapes": str(tmp_path / "shapes.json"),
        "threads": 1,
    }


def fill(
    folder: Path, inputs: dict[str, Any], dataset: str, drop_fold: int | None
) -> tuple[hist.Hist, hist.Hist]:
    """Run `histogram` on nine events of weights 1 to 9 with edges from a file."""
    weights = np.ones(9) if dataset == "Data" else np.arange(1.0, 10.0)
    events = write_events(folder / "e.parquet", event_hash=HASHES, genWeight=weights, x=X, y=Y)
    write_json(folder / "edges.json", {"nn_score": {"edges": [0.0, 0.5, 1.0]}})
    load_stage("histogram").histogram(
        dataset=dataset,
        events=[events],
        others={},
        edges=str(folder / "edges.json"),
        drop_fold=drop_fold,
        config=Config.from_plain(definitions()),
        observables=str(folder / "o.zip"),
        control=str(folder / "c.zip"),
        **inputs,
    )
    found = (read_histograms(folder / name) for name in ("o.zip", "c.zip"))
    observables, control = (next(iter(item.values())) for item in found)
    return observables, control


def cell(histogram: hist.Hist, process: str, region: str) -> list[list[float]]:
    view = histogram[hist.loc(process), hist.loc(region), hist.loc("nominal"), :]
    return [view.values(flow=True).tolist(), view.variances(flow=True).tolist()]


def test_histogram_of_all_events(tmp_path: Path, inputs: dict[str, Any]) -> None:
    """A score is above ½ where x + fold > 0: for all but events 0, 6, 7 and 8."""
    found, control = fill(tmp_path, inputs, "S", None)
    # events 0, 6, 8 | 2, 4 of weight (i + 1) / 2
    high = [[0, (1 + 7 + 9) / 2, (3 + 5) / 2, 0], [0, (1 + 49 + 81) / 4, (9 + 25) / 4, 0]]
    low = [[0, 8 / 2, (2 + 4 + 6) / 2, 0], [0, 64 / 4, (4 + 16 + 36) / 4, 0]]
    assert found.axes["nn_score"].edges.tolist() == [0.0, 0.5, 1.0]
    np.testing.assert_allclose(cell(found, "sig", "high"), high)
    np.testing.assert_allclose(cell(found, "sig", "low"), low)
    # x < 0: events 0, 2, 6, 8; above: 4
    np.testing.assert_allclose(cell(control, "sig", "high")[0], [0, 20 / 2, 5 / 2, 0])


@pytest.mark.parametrize("fold", [0, 2])
def test_histogram_without_a_fold_has_the_same_expected_yield(
    tmp_path: Path, inputs: dict[str, Any], fold: int
) -> None:
    """The events of two folds count for those of three: Σw = 45 in place of what is left."""
    found, _ = fill(tmp_path, inputs, "S", fold)
    # fold 2: events 2, 5, 8 of weights 3, 6, 9; fold 0: events 0, 3, 6 of weights 1, 4, 7
    factor = 0.5 * 45.0 / (27.0 if fold == 2 else 33.0)
    bins = {
        2: {"high": ((1, 7), (5,)), "low": ((8,), (2, 4))},
        0: {"high": ((9,), (3, 5)), "low": ((8,), (2, 6))},
    }
    for region, groups in bins[fold].items():
        sums = [0.0, *(factor * sum(group) for group in groups), 0.0]
        squares = [0.0, *(factor**2 * sum(w * w for w in group) for group in groups), 0.0]
        np.testing.assert_allclose(cell(found, "sig", region), [sums, squares], rtol=1e-6)


@pytest.mark.parametrize("fold", [0, 2])
def test_histogram_of_data_without_a_fold_drops_it_from_the_estimate_alone(
    tmp_path: Path, inputs: dict[str, Any], fold: int
) -> None:
    """What is observed is whole; partner events of six of nine count 1.5 each."""
    found, control = fill(tmp_path, inputs, "Data", fold)
    np.testing.assert_allclose(cell(found, "data", "high"), [[0, 3, 2, 0]] * 2)
    # partner events: 7 | 1, 3, 5; event 5 is of fold 2, event 3 of fold 0
    np.testing.assert_allclose(cell(found, "data", "low"), [[0, 1.5, 3.0, 0], [0, 2.25, 4.5, 0]])
    np.testing.assert_allclose(cell(control, "data", "low")[0], [0, 2, 2, 0])


def optimise(
    folder: Path, inputs: dict[str, Any], method: str = "quantile", **binning: Any
) -> dict[str, Any]:
    """Run `optimise_binning` on nine events of signal, background and data."""
    events = {}
    for name, weights in (("S", np.arange(1.0, 10.0)), ("B", np.arange(11.0, 20.0)), ("Data", 1.0)):
        path = folder / f"{name}.parquet"
        columns = {"event_hash": HASHES, "x": X, "y": np.ones(9)}
        events[name] = [write_events(path, genWeight=weights * np.ones(9), **columns)]
    chosen = {"method": method, "bins": 2, "fine_bins": 2, "fold": 2, "max_relative_error": 9.0}
    templates = Templates(binning=Binning.model_validate({**chosen, **binning}))
    observables = {"nn_score": {"label": "score", "binning": [0.0, 1.0]}}
    config = definitions(
        observables=observables,
        templates=templates.model_dump(mode="json"),
        fit={"reference": None},
    )
    write_json(folder / "factor.json", None)
    others = {key: inputs[key] for key in ("models", "shapes", "threads")}
    load_stage("optimise_binning").optimise_binning(
        skimmed=SkimmedEvents(events, inputs["normalisation"], inputs["pileup"]),
        transfer_factor=str(folder / "factor.json"),
        config=Config.from_plain(config),
        edges=str(folder / "edges.json"),
        others={},
        **others,
    )
    found: dict[str, Any] = read_json(folder / "edges.json")["nn_score"]
    return found


def test_uncertainty_of_chosen_edges_has_the_statistics_of_the_final_templates(
    tmp_path: Path, inputs: dict[str, Any]
) -> None:
    """Fold 2 chooses; the templates have the two other folds, so half of its Σw².

    Events 8 | 2, 5 are below and above a score of ½. The signal's 3, 6, 9 count 45/18 times ½, the
    background's 13, 16, 19 count 135/48 times 2. σ(μ)⁻² = Σ s²/(s + b + ½ (Σw_s² + Σw_b²)).
    """
    found = optimise(tmp_path, inputs)
    signal, background = 0.5 * 45.0 / 18.0, 2.0 * 135.0 / 48.0
    information = 0.0
    for s, b in (((9.0,), (19.0,)), ((3.0, 6.0), (13.0, 16.0))):
        ws, wb = (np.array(s) * signal, np.array(b) * background)
        noise = ws.sum() + wb.sum() + 0.5 * ((ws**2).sum() + (wb**2).sum())
        information += ws.sum() ** 2 / noise
    assert found["edges"] == [0.0, 0.5, 1.0]
    assert found["sigma"] == pytest.approx(information**-0.5, rel=1e-6)


def test_edges_of_equal_signal_may_come_from_all_events(
    tmp_path: Path, inputs: dict[str, Any]
) -> None:
    """Events 0, 6, 7, 8 are below a score of ½, five above; all of them fill the templates, too."""
    found = optimise(tmp_path, inputs, method="quantile", fold=None)
    information = 0.0
    for numbers in ([0, 6, 7, 8], [1, 2, 3, 4, 5]):
        signal, background = 0.5 * (1.0 + np.array(numbers)), 2.0 * (11.0 + np.array(numbers))
        noise = signal.sum() + background.sum() + (signal**2).sum() + (background**2).sum()
        information += signal.sum() ** 2 / noise
    assert found["edges"] == [0.0, 0.5, 1.0]
    assert found["sigma"] == pytest.approx(information**-0.5, rel=1e-6)


def test_bins_hold_the_background_that_is_wanted(tmp_path: Path, inputs: dict[str, Any]) -> None:
    """The lower bin has 106.9 background events and 11.2 of signal, which do not count."""
    assert optimise(tmp_path, inputs, min_background=106.0)["edges"] == [0.0, 0.5, 1.0]
    assert optimise(tmp_path, inputs, min_background=110.0)["edges"] == [0.0, 1.0]


@pytest.fixture
def templates(tmp_path: Path) -> str:
    """A histogram with 10 ± 3 background and 7 data events in each of two regions."""
    from taipan.config.sections.observables import Observable

    observable = Observable(label="score", binning=[0.0, 0.5, 1.0])
    histogram = empty_histogram(
        "nn_score", observable, ["bkg", "data"], ["high", "low"], ["nominal"]
    )
    view = histogram.view(flow=True)
    for region in (0, 1):
        # under- and overflow count, too
        view["value"][0, region, 0] = [1.0, 4.0, 3.0, 2.0]
        view["variance"][0, region, 0] = [1.0, 4.0, 3.0, 1.0]
        view["value"][1, region, 0] = [0.0, 3.0, 2.0, 2.0]
        view["variance"][1, region, 0] = [0.0, 3.0, 2.0, 2.0]
    write_histograms(tmp_path / "templates.zip", {"nn_score": histogram})
    return str(tmp_path / "templates.zip")


@pytest.mark.parametrize("blinded", [(), ("high",), ("low", "high")])
def test_list_of_yields_has_no_data_of_blinded_regions(
    templates: str, tmp_path: Path, blinded: tuple[str, ...]
) -> None:
    load_stage("list_yields").list_yields(templates, blinded, str(tmp_path / "yields.csv"))
    lines = ["region,process,yield,stat"]
    for region in ("high", "low"):
        lines.append(f"{region},bkg,10.0,3.0")
        if region not in blinded:
            lines.append(f"{region},data,7.0,{7.0**0.5}")
    assert (tmp_path / "yields.csv").read_text(encoding="utf-8") == "\n".join(lines) + "\n"


@pytest.mark.parametrize("enabled", [True, False])
def test_vertex_weights_count_simulation_by_cross_section(tmp_path: Path, enabled: bool) -> None:
    """Two events of S with no vertex weigh 3 × ½ each; those of B with 1 and 2 vertices 1 × 2.

    The simulation is 3 : 2 : 2, the data are 3 : 1 : 3 (of 7). The ratio is 1, ½, 3/2, and its
    largest value is 1.2.
    """
    events = {
        "S": [write_events(tmp_path / "S.parquet", genWeight=[3.0, 3.0], PV_npvs=[0, 0])],
        "B": [write_events(tmp_path / "B.parquet", genWeight=[1.0, 1.0], PV_npvs=[1, 2])],
        "Data": [write_events(tmp_path / "D.parquet", PV_npvs=[0, 0, 0, 1, 2, 2, 2])],
    }
    write_json(tmp_path / "norm.json", normalisation(S=0.5, B=2.0, Data=None))
    load_stage("measure_pileup").measure_pileup(
        events=events,
        normalisation=str(tmp_path / "norm.json"),
        config=Config.from_plain(
            {
                "folder": TINY,
                "quantities": {},
                "pileup": {"enabled": enabled, "max_weight": 1.2},
            }
        ),
        pileup=str(tmp_path / "pileup.json"),
    )
    found = read_json(tmp_path / "pileup.json")
    assert found["enabled"] is enabled
    assert found["ratio"] == (pytest.approx([1.0, 0.5, 1.2]) if enabled else [1.0])


@pytest.mark.parametrize(
    ("passed", "action", "stops"),
    [(False, "stop", True), (False, "warn", False), (True, "stop", False)],
)
def test_gate_stops_when_it_fails_and_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed: bool, action: str, stops: bool
) -> None:
    script = load_stage("check_overtraining")
    condition = {"name": "auc_gap", "fold": 0, "value": 0.2, "limit": 0.1, "sigma": 5.0}
    verdict = {
        "passed": passed,
        "action": action,
        "conditions": [{**condition, "passed": passed}],
    }
    monkeypatch.setattr(script, "open_training_set", lambda *_: None)
    monkeypatch.setattr(script, "judge_overtraining", lambda *_: verdict)
    config = SimpleNamespace(overtraining=None, classifier=NetworkClassifier())
    arguments = (None, config, 1, [], str(tmp_path / "verdict.json"))
    if stops:
        with pytest.raises(TaipanError, match="1 conditions failed: auc_gap of fold 0 is 0.2"):
            script.check_overtraining(*arguments)
    else:
        script.check_overtraining(*arguments)
    assert read_json(tmp_path / "verdict.json") == verdict  # written in any case


@pytest.mark.parametrize("blinded", [True, False])
def test_list_of_parameters_has_the_largest_impact_first(tmp_path: Path, blinded: bool) -> None:
    """As the fit sorts them; those without an impact come last."""
    part = {
        "parameters": [
            {"name": "mu", "value": 1.5, "sigma": 0.5, "pull": None, "constraint": None},
            {"name": "a", "value": 0.1, "sigma": 0.9, "pull": 0.1, "constraint": 0.9},
            {"name": "b", "value": -2.0, "sigma": 1.0, "pull": -2.0, "constraint": 1.0},
        ],
        "impacts": [
            {"name": "b", "prefit": None, "postfit": [0.4, -0.3]},
            {"name": "a", "prefit": None, "postfit": [-0.1, 0.2]},
        ],
    }
    other = {"parameters": [], "impacts": []}
    content = {"expected": part, "observed": None} if blinded else {"expected": other}
    content = {"observed": part, **content, "blinded": blinded}
    write_json(tmp_path / "fit.json", content)
    load_stage("list_parameters").list_parameters(
        str(tmp_path / "fit.json"), str(tmp_path / "table.csv")
    )
    assert (tmp_path / "table.csv").read_text(encoding="utf-8").splitlines() == [
        "name,value,sigma,pull,constraint,impact_up,impact_down",
        "b,-2.0,1.0,-2.0,1.0,0.4,-0.3",
        "a,0.1,0.9,0.1,0.9,-0.1,0.2",
        "mu,1.5,0.5,,,,",
    ]
