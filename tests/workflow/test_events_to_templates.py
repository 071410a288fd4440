"""From skimmed events to templates: Σw, variations, and an order that decides nothing."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path
from types import ModuleType

import hist
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taipan.atomic import read_json
from taipan.config.load import read_config
from taipan.estimates.registry import read_estimate
from taipan.events.corrections import read_corrections
from taipan.events.inputs import SkimmedEvents
from taipan.events.load import DatasetEvents
from taipan.events.selection import region_masks, sample_masks
from taipan.events.variations import template_variations
from taipan.labels import DATA, NOMINAL
from taipan.nn.scorer import FoldScorer
from taipan.skim.storage import read_events
from taipan.templates.band import control_variations
from taipan.templates.combine import add_datasets, add_estimate, list_yields
from taipan.templates.empty import FillSettings
from taipan.templates.fill import fill_dataset
from tests.htautau import ANALYSIS
from tests.project import RESULTS, SMOKE, Project, read_templates

pytestmark = pytest.mark.workflow


def load_stage(name: str) -> ModuleType:
    return importlib.import_module(f"taipan.stages.{name}")


@pytest.fixture(scope="module")
def permuted(
    finished: Project, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Path | str]]:
    """All events of the finished run in another order, over three files a dataset."""
    folder = tmp_path_factory.mktemp("permuted")
    rng = np.random.default_rng(5)
    found: dict[str, list[Path | str]] = {}
    for source in sorted((finished.path / RESULTS / "events").iterdir(), reverse=True):
        table = pa.concat_tables([pq.read_table(path) for path in source.glob("*.parquet")])
        order = rng.permutation(table.num_rows)
        found[source.name] = [folder / f"{source.name}_{i}.parquet" for i in (2, 0, 1)]
        for path, rows in zip(found[source.name], np.array_split(order, 3), strict=True):
            pq.write_table(table.take(rows), path)
    return found


def by_event(events: DatasetEvents) -> tuple[np.ndarray, ...]:
    """Hash, fold and weight of each event, in the order of the hash."""
    identity = events.columns["event_hash"]
    order = np.argsort(identity, kind="stable")
    assert len(np.unique(identity)) == len(identity)
    weights = np.ones(len(order)) if events.weights is None else events.weights.nominal
    return identity[order], events.folds[order], weights[order]


def test_order_of_files_and_events_changes_nothing(
    finished: Project, permuted: dict[str, list[Path | str]], tmp_path: Path
) -> None:
    results = finished.path / RESULTS
    config = read_config([finished.path / SMOKE], finished.path)
    normalisation = results / "normalisation.json"
    # corrections are measured anew, each from events in another order
    pileup, transfer, shapes = (tmp_path / f"{n}.json" for n in ("pileup", "transfer", "shapes"))
    skimmed = SkimmedEvents(permuted, normalisation, pileup)
    load_stage("measure_pileup").measure_pileup(permuted, normalisation, config, pileup)
    load_stage("measure_transfer_factor").measure_transfer_factor(skimmed, config, transfer)
    load_stage("measure_shapes").measure_shapes(skimmed, transfer, config, shapes)
    ratios = [read_json(p)["ratio"] for p in (results / "corrections/pileup.json", pileup)]
    np.testing.assert_allclose(ratios[1], ratios[0], rtol=1e-12)  # once 1e-7, summed as float32

    plain = {name: sorted((results / "events" / name).glob("*.parquet")) for name in permuted}
    folds = config.training.folds
    measured = results / "corrections/pileup.json"
    before = SkimmedEvents(plain, normalisation, measured).open(ANALYSIS, folds)
    after = skimmed.open(ANALYSIS, folds)
    variations = template_variations(config.systematics, config.samples)
    settings = FillSettings(
        config.samples,
        config.regions,
        config.features,
        config.observables,
        config.control_plots,
        variations,
        read_corrections(config.weights, ANALYSIS.quantities, shapes),
    )
    networks = [results / f"models/fold{i}.onnx" for i in range(folds)]
    scorer = FoldScorer(networks, config.features)
    parts: list[tuple[dict[str, hist.Hist], dict[str, hist.Hist]]] = []
    for one, two in zip(before, after, strict=True):
        assert not np.array_equal(one.columns["event_hash"], two.columns["event_hash"])
        for first, second in zip(by_event(one), by_event(two), strict=True):
            np.testing.assert_allclose(second, first, rtol=1e-9)
        parts.append(fill_dataset(two, ANALYSIS, settings, scorer.score))

    estimate = read_estimate(config.samples, read_json(transfer))
    assert estimate is not None
    of_control = control_variations(variations)
    names = [[NOMINAL, *(item.name for item in found)] for found in (variations, of_control)]
    observables = (config.observables, config.control_plots)
    tables = {}
    for i, file in enumerate(("templates", "control")):
        varied = of_control if i else variations
        total = add_datasets(
            [part[i] for part in parts],
            observables[i],
            [*config.samples, DATA],
            list(config.regions),
            names[i],
        )
        expected = read_templates(results / f"templates/{file}.zip")
        assert list(expected) == list(total)
        for name, histogram in total.items():
            found = add_estimate(histogram, config.samples, config.regions, varied, estimate)
            assert found.axes == expected[name].axes
            tables[file, name] = found
            for field in ("value", "variance"):
                values = expected[name].view(flow=True)[field]
                np.testing.assert_allclose(
                    found.view(flow=True)[field], values, rtol=1e-9, atol=1e-12 * values.max()
                )

    with open(results / "yields.csv", encoding="utf-8") as handle:
        rows = {(row["region"], row["process"]): row for row in csv.DictReader(handle)}
    yields = list_yields(tables["templates", next(iter(config.observables))])
    assert {(item.region, item.process) for item in yields} == set(rows)
    for item in yields:
        row = rows[item.region, item.process]
        assert item.value == pytest.approx(float(row["yield"]), rel=1e-9, abs=1e-9)
        assert item.stat == pytest.approx(float(row["stat"]), rel=1e-9, abs=1e-9)


def test_sum_of_weights_is_conserved_from_skim_to_template(finished: Project) -> None:
    """genWeight · scale · vertex weight of each skimmed event, summed; data are counted."""
    results = finished.path / RESULTS
    config = read_config([finished.path / SMOKE], finished.path)
    ratio = np.asarray(read_json(results / "corrections/pileup.json")["ratio"])
    expected: dict[tuple[str, str], float] = {}
    for dataset, norm in read_json(results / "normalisation.json").items():
        columns = read_events(
            sorted((results / "events" / dataset).glob("*.parquet")), ANALYSIS.columns
        )
        quantities = ANALYSIS.compute(columns)
        weights = columns["genWeight"].astype(float) * norm["scale"]
        members = {DATA: np.ones(len(weights), dtype=bool)}
        if not norm["is_data"]:
            vertex = ratio[np.minimum(columns["PV_npvs"], len(ratio) - 1)]
            weights = weights * vertex * weights.sum() / (weights * vertex).sum()
            members = sample_masks(quantities, config.samples, dataset)
        for region, inside in region_masks(quantities, config.regions).items():
            for sample, chosen in members.items():
                key = (region, sample)
                total = float(weights[inside & chosen].sum())
                expected[key] = expected.get(key, 0.0) + total
    assert expected["signal", DATA] == round(expected["signal", DATA]) > 100
    for file in ("templates", "control"):
        for name, histogram in read_templates(results / f"templates/{file}.zip").items():
            for (region, sample), total in expected.items():
                cell = histogram[hist.loc(sample), hist.loc(region), hist.loc(NOMINAL), :]
                found = cell.values(flow=True).sum()
                assert found == pytest.approx(total, rel=1e-6, abs=1e-9), (name, region, sample)


def test_every_declared_variation_changes_every_sample_it_lists(finished: Project) -> None:
    """Templates of shapes; factors of rates, in all fitted regions where they act."""
    results = finished.path / RESULTS
    config = read_config([finished.path / SMOKE], finished.path)
    histograms = read_templates(results / "templates/templates.zip")
    variations = template_variations(config.systematics, config.samples)
    assert {item.systematic.kind for item in variations} == {"kinematic", "weight"}
    for variation in variations:
        for sample in variation.systematic.samples:
            histogram = histograms["m_vis"]
            nominal, varied = (
                histogram[hist.loc(sample), hist.loc("signal"), hist.loc(name), :].values(flow=True)
                for name in (NOMINAL, variation.name)
            )
            assert np.abs(varied - nominal).max() > 1e-4 * nominal.max(), (variation.name, sample)
    workspace = read_json(results / "workspace.json")
    rates = {name: item for name, item in config.systematics.items() if item.kind == "rate"}
    assert len(rates) >= 2
    for name, rate in rates.items():
        size = rate.size or 0.0
        up, down = (size, -size) if rate.up is None else (rate.up, rate.down)
        for channel in workspace["channels"]:
            samples = {item["name"]: item["modifiers"] for item in channel["samples"]}
            for sample in rate.samples:
                (data,) = [m["data"] for m in samples[sample] if m["name"] == name]
                assert data == {"hi": pytest.approx(1 + up), "lo": pytest.approx(1 + down)}
