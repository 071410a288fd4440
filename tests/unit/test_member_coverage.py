"""Pseudo-data with systematics of generator weights: their size by hand, and coverage of a fit."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.config.sections.observables import Observable
from taipan.coverage.bins import FitBins, SourceData
from taipan.coverage.draw import Universe
from taipan.coverage.experiments import fit_experiments, stack_counts
from taipan.coverage.sample_events import SampleEvents
from taipan.coverage.score import summarise_experiments
from taipan.coverage.statistics import SimulationStatistics
from taipan.coverage.truth import Truth, draw_truth
from taipan.coverage.yield_factors import read_yield_factors
from taipan.events.inputs import SkimmedEvents
from taipan.events.load import DatasetEvents
from taipan.events.variations import template_variations
from taipan.events.weights import EventWeights
from taipan.inference import compile_model
from taipan.likelihood import build_workspace
from taipan.likelihood.table import Table, read_table
from taipan.normalisation import Normalisation, to_dict
from taipan.skim.weight_means import WeightMeans
from taipan.stages.draw_pseudo_data import draw_pseudo_data
from taipan.systematics.registry import make_systematic
from taipan.templates.build import add_parts
from taipan.templates.empty import FillSettings
from taipan.templates.fill import fill_blocks
from taipan.templates.members import add_members
from taipan.templates.store import write_histograms
from tests.conftest import ROOT
from tests.tiny_analysis import ANALYSIS, write_events

BRANCH = "LHEScaleWeight"
EDGES = [0.0, 1.0, 2.0, 3.0, 4.0]
WEIGHT = 0.02
NUMBERS = {"S": 6_000, "B": 30_000}
MEANS = (1.3, 0.7)
"""Of the two members before any cut; the cross section does not count."""
NO_DATA = SourceData({}, {}, None)
EXPERIMENTS = 600


def make_events() -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, tuple[Any, ...]]]:
    """Signal at large x, flat background, and two members that grow and fall with x."""
    rng = np.random.default_rng(7)
    x = {"S": 4.0 * rng.beta(4.0, 2.0, NUMBERS["S"]), "B": rng.uniform(0.0, 4.0, NUMBERS["B"])}
    grows = 1.0 + 0.15 * (x["B"] - 1.0)
    members = {"S": (), "B": (MEANS[0] * grows, MEANS[1] / grows)}
    return x, members


def configure(vary: str = "muRmuF", more: dict[str, Any] | None = None, **keys: Any) -> Config:
    scale = make_systematic(
        kind="scale_weights", vary=vary, members=[0, 1], samples=["bkg"], **keys
    )
    return Config.from_plain(
        {
            "samples": {
                "sig": {"role": "signal", "datasets": ["S"]},
                "bkg": {"role": "background", "datasets": ["B"]},
            },
            "regions": {"high": {"cut": "y > 0", "role": "signal"}},
            "observables": {"x": {"label": "x", "binning": EDGES}},
            "systematics": {"v": scale},
            "templates": {},
            "analysis": "tiny",
            "fit": {"observable": "x", "unblind": False, "poi_range": [-5.0, 5.0]},
            **(more or {}),
        }
    )


class Toy:
    """Templates, the model and pseudo-data of a configuration."""

    def __init__(self, config: Config) -> None:
        x, members = make_events()
        self.config, self.x, self.members = config, x, members
        variations = template_variations(config.systematics, config.samples)
        observables = {"x": Observable(label="x", binning=EDGES)}
        fill = FillSettings(config.samples, config.regions, ("x",), observables, {}, variations)
        parts, self.events = [], []
        norms = {}
        for name, sample in (("S", "sig"), ("B", "bkg")):
            n = NUMBERS[name]
            weights, folds = np.full(n, WEIGHT), np.zeros(n, np.int64)
            columns = {"x": x[name], "y": np.ones(n)}
            events = DatasetEvents(name, False, columns, EventWeights(weights, {}), folds)
            if members[name]:
                events = replace(events, weight_lists={BRANCH: members[name]})
            parts.append(fill_blocks([events], ANALYSIS, fill, None)[0])
            self.events.append(SampleEvents(sample, columns, weights, {}, folds))
            means = {BRANCH: WeightMeans("", 2, MEANS)} if members[name] else {}
            norms[name] = Normalisation(name, False, 1.0, n, float(n), 1.0, weight_means=means)
        total = add_parts(parts, config, observables, variations)
        self.templates = add_members(total, parts, config, variations, norms)["x"]
        self.workspace, self.record = build_workspace(self.templates, config, "x", None)
        item = self.record["regions"]["high"]
        table = read_table(self.templates, "x")
        factors = read_yield_factors({"high": table}, {"high": item["starts"]}, config)
        bins = FitBins("x", {"high": np.asarray(item["edges_after"])}, frozenset())
        self.edges = bins.edges["high"]
        self.universe = Universe(ANALYSIS, config, bins, None, factors)

    def expect(self, truth: Truth) -> Any:
        return self.universe.expected(self.events, truth, NO_DATA)["high"]

    def count(self, dataset: str, factors: Any = 1.0) -> Any:
        weights = WEIGHT * factors * np.ones(NUMBERS[dataset])
        return np.histogram(self.x[dataset], self.edges, weights=weights)[0]

    def cover(self, workspace: dict[str, Any]) -> dict[str, Any]:
        """Draw strengths in [½, 1½] and the systematic, and fit with a model."""
        rng = np.random.default_rng(11)
        truths = [draw_truth(self.config.systematics, (0.5, 1.5), rng) for _ in range(EXPERIMENTS)]
        counts = [{"high": rng.poisson(self.expect(truth))} for truth in truths]
        statistics = SimulationStatistics(self.universe, self.events, NO_DATA)
        contents = [
            {name: asdict(item) for name, item in statistics.draw(rng).items()} for _ in truths
        ]
        model = compile_model(workspace)
        mu = np.array([truth.mu for truth in truths])
        fitted = fit_experiments(model, stack_counts(model, counts, contents), mu)
        return summarise_experiments(fitted.truth, fitted.mu_hat, fitted.sigma, fitted.intervals)


@pytest.fixture(scope="module")
def toy() -> Toy:
    return Toy(configure())


@pytest.mark.parametrize("pull", [0.0, 1.5, -0.7])
def test_pair_of_members_is_what_weights_of_events_would_be(toy: Toy, pull: float) -> None:
    """Background weights: 1 + |pull| (member/mean - 1), of the member of its side."""
    member = toy.members["B"][0 if pull > 0.0 else 1] / MEANS[0 if pull > 0.0 else 1]
    wanted = 2.0 * toy.count("S") + toy.count("B", 1.0 + abs(pull) * (member - 1.0))
    np.testing.assert_allclose(toy.expect(Truth(2.0, {"v": pull}, {})), wanted, rtol=1e-9)


def test_envelope_moves_the_yields_of_its_sample() -> None:
    """In each bin the largest of both members and the nominal one, times the true value."""
    found = Toy(configure(vary="envelope"))
    nominal = found.count("B")
    both = [
        found.count("B", member / mean)
        for member, mean in zip(found.members["B"], MEANS, strict=True)
    ]
    largest, smallest = np.maximum(nominal, np.max(both, 0)), np.minimum(nominal, np.min(both, 0))
    for pull, varied in ((2.0, largest), (-2.0, smallest)):
        wanted = found.count("S") + nominal + 2.0 * (varied - nominal)
        np.testing.assert_allclose(found.expect(Truth(1.0, {"v": pull}, {})), wanted, rtol=1e-9)


def test_nothing_moves_in_other_regions() -> None:
    found = Toy(configure(regions=["high"]))
    other = found.config.systematics["v"].model_copy(update={"regions": ["low"]})
    config = found.config.model_copy(update={"systematics": {"v": other}})
    table = read_table(found.templates, "x")
    assert read_yield_factors({"high": table}, {"high": [0]}, config).changes == {}


def test_changes_are_those_of_the_merged_bins(toy: Toy) -> None:
    table = read_table(toy.templates, "x")
    found = read_yield_factors({"high": table}, {"high": [0, 2]}, toy.config)
    up, _ = found.changes["bkg", "high", "high"]["v"]
    nominal, varied = (
        table.counts("bkg", "high", label).values.reshape(2, 2).sum(axis=1)
        for label in ("nominal", "v_up")
    )
    np.testing.assert_allclose(up, varied / nominal - 1.0)


def test_control_residual_moves_yields_of_bins_both_ways_and_never_below_zero() -> None:
    """+60 % and -60 % in two bins at +1σ: at -2σ the first bin would have -20 % of its yield."""
    residual = make_systematic(kind="control_residual", region="side", samples=["bkg"])
    config = configure().model_copy(update={"systematics": {"left": residual}})
    values = np.array([[[[10.0, 20.0], [16.0, 8.0]]]])
    table = Table(
        processes={"bkg": 0}, regions={"high": 0}, variations={"nominal": 0, "left_up": 1},
        edges=(0.0, 1.0, 2.0), values=values, variances=values,
    )  # fmt: skip
    cell = ("bkg", "high", "high")
    found = read_yield_factors({"high": table}, {"high": [0, 1]}, config)
    for pull, wanted in ((0.5, [13.0, 14.0]), (-1.0, [4.0, 32.0]), (-2.0, [0.0, 44.0])):
        np.testing.assert_allclose(found.vary(values[0, 0, 0], cell, {"left": pull}), wanted)
    assert draw_truth({"left": residual}, (0.0, 1.0), np.random.default_rng(1)).pulls


@pytest.mark.parametrize("is_larger", [False, True], ids=["own events", "larger simulation"])
def test_stage_draws_them(toy: Toy, tmp_path: Path, is_larger: bool) -> None:
    """Counts are those of the true values in the file, within what Poisson allows.

    A larger simulation with another yield gives the changes alone: the rest is that of the run.
    """
    files = {}
    for name, x in toy.x.items():
        files[name] = [write_events(tmp_path / f"{name}.parquet", x=x, y=np.ones(len(x)))]
    for label, scale in (("norm", WEIGHT), ("larger", 1.5 * WEIGHT)):
        norms = {n: Normalisation(n, False, scale, len(x), float(len(x)), 1.0)
                 for n, x in toy.x.items()}  # fmt: skip
        write_json(tmp_path / f"{label}.json", to_dict(norms))
    write_json(tmp_path / "pileup.json", {"enabled": False})
    write_json(tmp_path / "shapes.json", {})
    write_json(tmp_path / "factor.json", None)
    write_json(tmp_path / "record.json", toy.record)
    write_histograms(tmp_path / "templates.zip", {"x": toy.templates})
    more: dict[str, Any] = {
        "folder": str(ROOT / "tests/tiny_analysis"), "quantities": {}, "features": [],
        "weights": {}, "coverage": {"experiments": 20, "batches": 1, "mu_range": [0.5, 1.5]},
    }  # fmt: skip
    config = configure(more=more)
    draw_pseudo_data(
        skimmed=SkimmedEvents(files, str(tmp_path / "norm.json"), str(tmp_path / "pileup.json")),
        larger=files if is_larger else {},
        larger_normalisation=str(tmp_path / "larger.json") if is_larger else None,
        models=[],
        shapes=str(tmp_path / "shapes.json"),
        templates=str(tmp_path / "templates.zip"),
        transfer_factor=str(tmp_path / "factor.json"),
        record=str(tmp_path / "record.json"),
        config=config,
        observable="x",
        seed=3,
        batch=0,
        threads=1,
        pseudo_data=str(tmp_path / "0.json"),
    )
    found = read_json(tmp_path / "0.json")
    truths = [Truth(item["mu"], item["pulls"], {}) for item in found["truths"]]
    wanted = np.array([toy.expect(truth) for truth in truths])
    drawn = np.array([item["high"] for item in found["counts"]])
    pulls = (drawn - wanted) / np.sqrt(wanted)
    assert np.abs(pulls).max() < 4.0
    assert len(found["contents"]) == len(found["counts"])
    assert np.std([truth.pulls["v"] for truth in truths]) > 0.5


def test_intervals_cover_with_a_scale_weight(toy: Toy) -> None:
    """68.27 and 95 % within two binomial standard deviations; a fit that ignores it does not."""
    found = toy.cover(toy.workspace)
    assert found["n"] == EXPERIMENTS
    assert found["passed"], found["intervals"]
    assert found["has_power"]
    ignored = toy.config.model_copy(update={"systematics": {}})
    workspace, _ = build_workspace(toy.templates, ignored, "x", None)
    assert toy.cover(workspace)["intervals"][0]["deviation"] < -3.0
