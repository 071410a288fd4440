"""Every systematic of the default analysis, on a small simulation of all samples."""

from __future__ import annotations

import hist
import numpy as np
import pytest
import yaml

from taipan.atomic import write_json
from taipan.config.model import Config
from taipan.datasets import Catalogue, event_scale
from taipan.events.corrections import read_corrections, write_corrections
from taipan.events.load import DatasetEvents, load_dataset
from taipan.events.shapes import count_events, measure_weight
from taipan.events.variations import template_variations, varied_regions
from taipan.events.weights import VertexWeights
from taipan.fastsim import DATASETS, write_dataset
from taipan.labels import DATA, NOMINAL
from taipan.normalisation import Normalisation
from taipan.skim.run import Chunk, skim_chunk
from taipan.templates.combine import (
    add_datasets,
    add_estimate,
    check_variations,
    check_yields,
    list_yields,
)
from taipan.templates.empty import FillSettings
from taipan.templates.fill import fill_dataset
from tests.conftest import ROOT, fastsim_settings, skim_settings
from tests.htautau import ANALYSIS
from tests.made_up_estimates import measured as with_factor

LUMINOSITY = 0.5
EVENTS = 6000
FACTOR = 1.06


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> list[DatasetEvents]:
    """Events of all nominal datasets."""
    folder = tmp_path_factory.mktemp("variations")
    text = (ROOT / "config/analyses/htautau/datasets/fastsim.yaml").read_text(encoding="utf-8")
    catalogue = Catalogue.model_validate(yaml.safe_load(text))
    names = [name for name in DATASETS if name != "DYToTauTau_NLO"]
    simulated = [name for name in names if not name.startswith("Run")]
    sizes = {**dict.fromkeys(simulated, EVENTS), "DYJetsToLL": 5 * EVENTS}  # few of them are Z→ll
    settings = fastsim_settings(luminosity=LUMINOSITY, events=sizes)
    vertices = VertexWeights(tuple(np.linspace(1.3, 0.7, 40)))
    found = []
    for name in names:
        root, parquet = folder / f"{name}.root", folder / f"{name}.parquet"
        write_dataset(name, root, settings, seed=4)
        cutflow = folder / f"{name}.json"
        flow = skim_chunk(Chunk(root), ANALYSIS, skim_settings(name), parquet, cutflow, {})
        size, dataset = flow.cuts[0], catalogue.dataset(name)
        scale = 1.0 if dataset.is_data else event_scale(dataset, LUMINOSITY, size.sumw)
        norm = Normalisation(name, dataset.is_data, scale, size.events, size.sumw, LUMINOSITY)
        found.append(load_dataset([parquet], ANALYSIS, norm, vertices, folds=2))
    return found


@pytest.fixture(scope="module")
def templates(
    datasets: list[DatasetEvents],
    analysis_config: Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, hist.Hist]:
    """Templates of m_vis and of a stand-in for the score, with every variation."""
    config, folder = analysis_config, tmp_path_factory.mktemp("shapes")
    measures = {n: w.measure for n, w in config.weights.items() if w.measure is not None}
    estimate = with_factor(config.samples, FACTOR)
    counts = count_events(datasets, measures, config.samples, config.regions, ANALYSIS)
    measured = {
        name: (
            item.quantity,
            item.binning,
            measure_weight(name, item, counts, config.samples, config.regions, estimate),
        )
        for name, item in measures.items()
    }
    write_json(folder / "shapes.json", write_corrections(measured))
    variations = template_variations(config.systematics, config.samples)
    settings = FillSettings(
        config.samples,
        config.regions,
        config.features,
        config.observables,
        {},
        variations,
        read_corrections(config.weights, ANALYSIS.quantities, folder / "shapes.json"),
    )

    def score(features: np.ndarray, folds: np.ndarray) -> np.ndarray:
        known = np.nan_to_num(features[:, [config.features.index(n) for n in ("pt_2", "mjj")]])
        return 1.0 / (1.0 + np.exp(1.5 - known @ [0.02, 0.004]))

    parts = [fill_dataset(item, ANALYSIS, settings, score)[0] for item in datasets]
    labels = [NOMINAL, *(item.name for item in variations)]
    processes = [*config.samples, DATA]
    total = add_datasets(parts, config.observables, processes, list(config.regions), labels)
    return {
        name: add_estimate(item, config.samples, config.regions, variations, estimate)
        for name, item in total.items()
    }


def test_every_declared_variation_changes_every_sample_it_lists(
    templates: dict[str, hist.Hist], analysis_config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """By more than 10⁻⁴ of the largest bin, in some fitted region or same-sign partner."""
    config = analysis_config
    variations = template_variations(config.systematics, config.samples)
    check_yields(list_yields(templates["m_vis"]), config.samples, config.regions)
    check_variations(templates, config.samples, config.regions, variations)
    assert not caplog.records
    assert {item.systematic.kind for item in variations} == {"kinematic", "weight", "rate"}
    for variation in variations:
        for sample in variation.systematic.samples:
            changes = []
            for histogram in templates.values():
                for region in varied_regions(config.regions, config.samples):
                    if not variation.applies(sample, region):
                        continue
                    cell = histogram[hist.loc(sample), hist.loc(region), :, :]
                    nominal, varied = (
                        cell[hist.loc(name), :].values(flow=True)
                        for name in (NOMINAL, variation.name)
                    )
                    changes.append(np.abs(varied - nominal).max() / max(nominal.max(), 1e-9))
            assert max(changes) > 1e-4, (variation.name, sample)
