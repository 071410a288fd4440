"""Generator weights where bins and the adversary's strength are chosen, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hist
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taipan.adversary_scan.point import fill_templates
from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.config.sections.templates import Binning, Templates
from taipan.events.inputs import SkimmedEvents
from taipan.events.variations import template_variations
from taipan.likelihood import build_workspace
from taipan.likelihood.asimov import expected_sigma
from taipan.nn.scorer import FoldScorer
from taipan.normalisation import Normalisation, to_dict
from taipan.skim.weight_lists import member_columns
from taipan.skim.weight_means import WeightMeans
from taipan.stages.optimise_binning import optimise_binning
from tests.tiny_analysis import ANALYSIS, write_events, write_network
from tests.unit.test_scripts_by_hand import X, definitions

BRANCH = "LHEScaleWeight"
CHANGE = 0.1
"""Of the background above a score of ½, where the weight is 1 ± this; below it is 1."""
COPIES = 20
"""Of nine events each, so that the bins have the statistics that the fit asks for."""
PER_EVENT = {"S": 1.0, "B": 4.0}
SCALES = {"S": 0.1, "B": 0.15}
PAIR = {
    "kind": "scale_weights",
    "vary": "muRmuF",
    "members": [0, 1],
    "normalisation": "full",
    "samples": ["bkg"],
    "prune": False,
}


@pytest.fixture
def skimmed(tmp_path: Path) -> SkimmedEvents:
    """Nine kinds of events; three of each fold, of which 1, 2 and 2 are above ½."""
    events, norms = {}, {}
    number = 9 * COPIES
    hashes, x = np.arange(number), np.tile(X, COPIES)  # fold of event i: i mod 3
    above = x + hashes % 3 > 0.0
    for name, weight in PER_EVENT.items():
        path = tmp_path / f"{name}.parquet"
        columns = {"event_hash": hashes, "x": x, "y": np.ones(number)}
        write_events(path, genWeight=weight * np.ones(number), **columns)
        table = pq.read_table(path)
        means = {}
        if name == "B":
            for column, sign in zip(member_columns(BRANCH, 2), (1.0, -1.0), strict=True):
                values = np.where(above, 1.0 + sign * CHANGE, 1.0).astype(np.float32)
                field = pa.field(column, pa.float32(), nullable=False)
                table = table.append_column(field, pa.array(values))
            means = {BRANCH: WeightMeans("", 2, (1.0, 1.0))}
        pq.write_table(table, path)
        events[name] = [str(path)]
        norms[name] = Normalisation(
            *(name, False, SCALES[name], number, number * weight, 1.0), weight_means=means
        )
    write_json(tmp_path / "norm.json", to_dict(norms))
    write_json(tmp_path / "pileup.json", {"enabled": False})
    write_json(tmp_path / "shapes.json", {})
    return SkimmedEvents(events, str(tmp_path / "norm.json"), str(tmp_path / "pileup.json"))


def configure(folder: Path, systematics: dict[str, Any]) -> tuple[Config, list[str]]:
    binning = Binning(method="merge", bins=2, fine_bins=2, fold=2, max_relative_error=9.0)
    plain = definitions(
        observables={"nn_score": {"label": "score", "binning": [0.0, 0.5, 1.0]}},
        templates=Templates(binning=binning).model_dump(mode="json"),
        fit={"reference": None, "observable": "nn_score", "unblind": False},
        systematics=systematics,
        training={"folds": 3},
    )
    del plain["samples"]["jets"], plain["regions"]["low"]
    models = [write_network(folder / f"fold{i}.onnx", i, 3) for i in range(3)]
    return Config.from_plain(plain), models


def linear_sigma(signal: Any, change: Any, noise: Any) -> float:
    """σ(μ) with a nuisance parameter: the inverse of the matrix of information, by hand."""
    aa, ab, bb = ((x * y / noise).sum() for x, y in
                  ((signal, signal), (signal, change), (change, change)))  # fmt: skip
    return float((aa - ab**2 / (bb + 1.0)) ** -0.5)


def test_choice_of_bins_knows_generator_weights(tmp_path: Path, skimmed: SkimmedEvents) -> None:
    """Fold 2 decides: event 8 is below ½; 2 and 5 are above it, each for three of its kind.

    Both bins have the same signal over background, so nothing is lost if they are joined. With an
    uncertainty of ±10 % of the background of the upper one alone, they stay apart.
    """
    found = {}
    for name, systematics in (("without", {}), ("with", {"v": PAIR})):
        config, models = configure(tmp_path, systematics)
        write_json(tmp_path / "factor.json", None)
        optimise_binning(
            skimmed=skimmed,
            models=models,
            others={},
            transfer_factor=str(tmp_path / "factor.json"),
            shapes=str(tmp_path / "shapes.json"),
            config=config,
            threads=1,
            edges=str(tmp_path / "edges.json"),
        )
        found[name] = read_json(tmp_path / "edges.json")["nn_score"]
    events = COPIES * np.array([1.0, 2.0])
    each = {name: 3.0 * PER_EVENT[name] * SCALES[name] for name in PER_EVENT}
    signal, background = each["S"] * events, each["B"] * events
    noise = signal + background + 0.5 * events * (each["S"] ** 2 + each["B"] ** 2)
    change = np.array([0.0, CHANGE * background[1]])
    assert found["without"]["edges"] == [0.0, 1.0]
    assert found["with"]["edges"] == [0.0, 0.5, 1.0]
    wanted = {"without": linear_sigma(signal, 0.0 * change, noise),
              "with": linear_sigma(signal, change, noise)}  # fmt: skip
    for name, sigma in wanted.items():
        assert found[name]["sigma"] == pytest.approx(sigma, rel=1e-3), name
    joined = linear_sigma(signal.sum(keepdims=True), change.sum(keepdims=True), noise.sum())
    assert joined == pytest.approx(found["with"]["sigma_quantile"], rel=1e-3)


def test_scan_of_the_adversary_knows_generator_weights(
    tmp_path: Path, skimmed: SkimmedEvents
) -> None:
    """All nine kinds of events: four below ½ (0, 6, 7 and 8), five above it."""
    config, models = configure(tmp_path, {"v": PAIR})
    analysis, scorer = ANALYSIS, FoldScorer(models, config.features, 1)
    variations = template_variations(config.systematics, config.samples)
    datasets = skimmed.open(analysis, 3)
    templates, _ = fill_templates(
        *(datasets, analysis, config, str(tmp_path / "shapes.json"), scorer, variations, None),
        skimmed,
    )
    view = templates[hist.loc("bkg"), hist.loc("high"), :, :].values()
    background = COPIES * np.array([4.0, 5.0]) * PER_EVENT["B"] * SCALES["B"]
    names = list(templates.axes[2])
    np.testing.assert_allclose(view[names.index("nominal")], background)
    for name, sign in (("v_up", 1.0), ("v_down", -1.0)):
        varied = background * [1.0, 1.0 + sign * CHANGE]
        np.testing.assert_allclose(view[names.index(name)], varied, rtol=1e-6)
    sigmas = [
        expected_sigma(
            build_workspace(
                templates, config.model_copy(update={"systematics": kept}), "nn_score", None
            )[0]
        )
        for kept in ({}, config.systematics)
    ]
    assert sigmas[1] > 1.001 * sigmas[0]
