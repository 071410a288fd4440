"""Histograms, the QCD estimate and the combination of datasets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import correctionlib
import hist
import numpy as np
import pytest

from taipan.config.model import Config
from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.estimates.ratio import measure_transfer_factor
from taipan.estimates.registry import find_sources
from taipan.events.corrections import EventCorrection, read_correction, write_corrections
from taipan.events.load import DatasetEvents, divide_estimate, load_dataset
from taipan.events.selection import region_masks
from taipan.events.variations import Variation, template_variations
from taipan.events.weights import VertexWeights
from taipan.labels import DATA, NOMINAL
from taipan.normalisation import Normalisation
from taipan.systematics.registry import make_systematic
from taipan.templates.combine import (
    Yield,
    add_datasets,
    add_estimate,
    check_variations,
    check_yields,
    list_yields,
)
from taipan.templates.empty import FillSettings
from taipan.templates.fill import fill_dataset
from taipan.templates.store import read_histograms, write_histograms
from tests.htautau import ANALYSIS
from tests.made_up_estimates import measured, same_sign

SCALE = 0.37


@pytest.fixture(scope="module")
def dataset(skim_file: Path) -> DatasetEvents:
    normalisation = Normalisation("DYJetsToLL", False, SCALE, 4000, 4000.0, 1.0)
    ratio = tuple(np.linspace(1.5, 0.5, 40))
    return load_dataset([skim_file], ANALYSIS, normalisation, VertexWeights(ratio), folds=2)


def score(features: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Stands for the networks: a number in (0, 1) that depends on features and fold."""
    return 1.0 / (1.0 + np.exp(-np.nan_to_num(features[:, 0]) / 40.0 + folds))


def corrections(config: Config) -> dict[str, EventCorrection]:
    """Weights of the analysis; those measured in data fall from 1.2 to 0.8."""
    measured = {
        name: (item.quantity, item.binning, np.linspace(1.2, 0.8, len(item.binning) - 1))
        for name, weight in config.weights.items()
        if (item := weight.measure) is not None
    }
    found = correctionlib.CorrectionSet.from_string(json.dumps(write_corrections(measured)))
    return {
        name: EventCorrection(name, found[name], (measured[name][0],), ("real",))
        if name in measured
        else read_correction(name, weight, ANALYSIS.quantities)
        for name, weight in config.weights.items()
    }


def settings(config: Config) -> FillSettings:
    return FillSettings(
        config.samples,
        config.regions,
        config.features,
        config.observables,
        config.control_plots,
        template_variations(config.systematics, config.samples),
        corrections(config),
    )


@pytest.fixture(scope="module")
def filled(
    dataset: DatasetEvents, analysis_config: Config
) -> tuple[dict[str, hist.Hist], dict[str, hist.Hist]]:
    return fill_dataset(dataset, ANALYSIS, settings(analysis_config), score)


def test_sum_of_weights_is_conserved_from_skim_to_histogram(
    dataset: DatasetEvents,
    filled: tuple[dict[str, hist.Hist], dict[str, hist.Hist]],
    analysis_config: Config,
) -> None:
    quantities = ANALYSIS.compute(dataset.columns)
    assert dataset.weights is not None
    for region, mask in region_masks(quantities, analysis_config.regions).items():
        weights = dataset.weights.nominal[mask]
        templates = [item for name, item in filled[0].items() if not name.endswith(".shifts")]
        for histogram in (*templates, *filled[1].values()):
            cell = histogram[:, hist.loc(region), hist.loc(NOMINAL), :]
            total, variance = cell.values(flow=True).sum(), cell.variances(flow=True).sum()
            assert total == pytest.approx(weights.sum(), rel=1e-6)
            assert variance == pytest.approx((weights**2).sum(), rel=1e-9)


def test_control_plots_have_every_variation(
    dataset: DatasetEvents,
    filled: tuple[dict[str, hist.Hist], dict[str, hist.Hist]],
    analysis_config: Config,
) -> None:
    """A control plot with the bins of an observable is the same histogram, shifts included."""
    mass = analysis_config.observables["m_vis"]
    both = {"observables": {"m_vis": mass}, "control": {"m_vis": mass}}
    plan = replace(settings(analysis_config), **both)
    observables, control = fill_dataset(dataset, ANALYSIS, plan, score)
    assert control["m_vis"] == observables["m_vis"]
    assert control["m_vis"] == filled[0]["m_vis"]
    labels = list(control["m_vis"].axes["variation"])
    assert any(name.startswith("tau_energy_scale") for name in labels)


def test_one_fold_of_same_sign_data_chooses_edges_and_the_others_fill_templates(
    dataset: DatasetEvents, analysis_config: Config
) -> None:
    """Same-sign data were whole in both, so that fluctuations chose their own bins."""
    data = replace(dataset, is_data=True, weights=None)
    plain = settings(analysis_config)
    whole, control = fill_dataset(data, ANALYSIS, plain, score)
    parts = [divide_estimate(data, 0, inside=inside) for inside in (True, False)]
    choosing, filling = (fill_dataset(part, ANALYSIS, plain, score) for part in parts)
    inside = ANALYSIS.compute(data.columns)
    for region, mask in region_masks(inside, analysis_config.regions).items():
        every, chose, filled = (
            item["nn_score"][hist.loc(DATA), hist.loc(region), hist.loc(NOMINAL), :]
            for item in (whole, choosing[0], filling[0])
        )
        assert every.values(flow=True).sum() == mask.sum() > 0
        if not region.startswith("ss_"):
            assert chose == filled == every
            continue
        for part, events, kept in (
            (chose, parts[0], data.folds == 0),
            (filled, parts[1], data.folds != 0),
        ):
            scale = len(kept) / kept.sum()
            assert part.values(flow=True).sum() == pytest.approx(scale * (mask & kept).sum())
            variance = part.variances(flow=True).sum()
            assert variance == pytest.approx(scale**2 * (mask & kept).sum())
            assert events.estimate is not None
            assert events.estimate.sum() == pytest.approx(len(kept))
        # no event is in both: in the sizes they have, the two parts are the whole
        shares = [np.mean(data.folds == 0), np.mean(data.folds != 0)]
        both = shares[0] * chose.values(flow=True) + shares[1] * filled.values(flow=True)
        assert both == pytest.approx(every.values(flow=True))
    # variations of the data-driven estimate, too; control figures show all the data
    varied = filling[0]["nn_score"][hist.loc(DATA), hist.loc("ss_signal"), :, :]
    labels = list(filling[0]["nn_score"].axes["variation"])
    assert labels == [NOMINAL, "qcd_shape_up"]
    total = varied.values(flow=True).sum(axis=1)
    assert 0.8 * total[0] < total[1] < 1.2 * total[0]
    assert total[1] != total[0]
    for name, histogram in control.items():
        assert filling[1][name] == histogram
    with pytest.raises(TaipanError, match="DYJetsToLL: no event in the chosen folds"):
        divide_estimate(data, 7, inside=True)


def test_vertex_weights_keep_the_sum_of_weights(dataset: DatasetEvents) -> None:
    assert dataset.weights is not None
    plain = SCALE * len(dataset.folds)
    assert dataset.weights.nominal.sum() == pytest.approx(plain, rel=1e-9)
    assert dataset.weights.alternatives["pileup"].sum() == pytest.approx(plain, rel=1e-6)
    assert np.ptp(dataset.weights.nominal) > 0.1 * SCALE


def test_every_variation_moves_a_template(
    filled: tuple[dict[str, hist.Hist], dict[str, hist.Hist]], analysis_config: Config
) -> None:
    histogram = filled[0]["m_vis"]
    nominal = histogram[hist.loc("ZTT"), hist.loc("signal"), hist.loc(NOMINAL), :].values(flow=True)
    for variation in template_variations(analysis_config.systematics, analysis_config.samples):
        if "ZTT" not in variation.systematic.samples:
            continue
        varied = histogram[hist.loc("ZTT"), hist.loc("signal"), hist.loc(variation.name), :]
        assert np.abs(varied.values(flow=True) - nominal).max() > 1e-4 * nominal.max()


def test_energy_scale_moves_the_mass_the_right_way(
    filled: tuple[dict[str, hist.Hist], dict[str, hist.Hist]],
) -> None:
    histogram = filled[0]["m_vis"]
    centres = histogram.axes[-1].centers

    def mean(variation: str) -> float:
        values = histogram[hist.loc("ZTT"), hist.loc("signal"), hist.loc(variation), :].values()
        return float((values * centres).sum() / values.sum())

    modes = ("1prong", "1prong_pi0", "3prong")

    def moved(side: str) -> float:
        return sum(mean(f"tau_energy_scale_{mode}_{side}") - mean(NOMINAL) for mode in modes)

    # m_vis ∝ √(pT of the tau): 3 % of energy is 1.5 % of 65 GeV, less threshold migration
    assert 0.3 < moved("up") < 1.5
    assert -1.5 < moved("down") < -0.3


def test_a_variation_that_changes_nothing_is_refused(
    dataset: DatasetEvents, analysis_config: Config
) -> None:
    idle = make_systematic(
        kind="kinematic", shift="tau_pt", size=1e-12, samples=["ZTT"], regions=["signal"]
    )
    systematics = {"idle": idle}
    config = analysis_config.model_copy(update={"systematics": systematics})
    histograms, _ = fill_dataset(dataset, ANALYSIS, settings(config), score)
    with pytest.raises(TaipanError, match="idle_up.*changes no template"):
        check_variations(
            {name: item for name, item in histograms.items() if not name.endswith(".shifts")},
            {"ZTT": config.samples["ZTT"]},
            config.regions,
            template_variations(systematics, {}),
        )


def check_toy(values: dict[tuple[str, str, str], list[float]], kind: str = "kinematic") -> None:
    """Check a variation of `toy` templates."""
    nominal = {("sig", "os", NOMINAL): [1.0, 2.0], ("Z", "os", NOMINAL): [5.0, 4.0]}
    # no variation is filled in a region that nothing fitted needs
    rest = {("sig", "rest", NOMINAL): [1.0, 1.0], ("Z", "rest", NOMINAL): [1.0, 1.0]}
    keys = {"kinematic": {"shift": "tau_pt", "size": 0.1}, "weight": {"weight": "pileup"}}
    keys["sample"] = {"datasets": ["other"]}
    scale = make_systematic(kind=kind, samples=["sig", "Z"], **keys[kind])
    variations = template_variations({"scale": scale}, SAMPLES)
    histogram = toy({**nominal, **rest, **values}, [item.name for item in variations])
    check_variations({"x": histogram}, SAMPLES, FITTED, variations)


def test_a_variation_is_compared_where_it_is_filled() -> None:
    """Regions without variations once counted as changed: idle variations of all regions passed."""
    same = {
        (sample, "os", f"scale_{side}"): content
        for sample, content in (("sig", [1.0, 2.0]), ("Z", [5.0, 4.0]))
        for side in ("up", "down")
    }
    with pytest.raises(TaipanError, match="^systematics.scale: scale_up, scale_down changes no t"):
        check_toy(same)
    with pytest.raises(TaipanError, match="^systematics.scale: scale_up changes no template of s"):
        check_toy({key: item for key, item in same.items() if key[2] != "scale_down"}, "weight")
    check_toy(
        {
            **same,
            ("sig", "os", "scale_up"): [1.1, 2.0],
            ("Z", "os", "scale_up"): [5.0, 4.1],
            ("sig", "os", "scale_down"): [0.9, 2.0],
        }
    )


def test_a_sample_that_a_systematic_lists_in_vain_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error for weights; few events may all stay in their bins when they are shifted."""
    values = {("sig", "os", "scale_up"): [1.1, 2.0], ("Z", "os", "scale_up"): [5.0, 4.0]}
    message = (
        "systematics.scale.samples: 'Z': none of its templates is changed; leave it out, or mend "
        "the variation (changed are sig)"
    )
    for kind in ("weight", "sample"):
        with pytest.raises(TaipanError) as error:
            check_toy(values, kind)
        assert str(error.value) == message
    assert not caplog.records
    values |= {("sig", "os", "scale_down"): [0.9, 2.0], ("Z", "os", "scale_down"): [5.0, 4.0]}
    check_toy(values)
    assert [record.getMessage() for record in caplog.records] == [message]
    caplog.clear()
    check_toy({**values, ("Z", "os", "scale_down"): [4.9, 4.1]})  # one direction is enough
    # without events there is nothing to change
    nothing = {("Z", "os", name): [0.0, 0.0] for name in (NOMINAL, "scale_up", "scale_down")}
    check_toy({**values, **nothing})
    assert not caplog.records


def test_confined_sample_is_filled_in_its_regions_alone(
    dataset: DatasetEvents, analysis_config: Config
) -> None:
    """Estimates still subtract it from the same-sign partner."""
    plain = settings(analysis_config)
    confined = plain.samples["ZTT"].model_copy(update={"regions": ["w_control"]})
    other = replace(plain, samples={**plain.samples, "ZTT": confined})
    before, after = (
        fill_dataset(dataset, ANALYSIS, item, score)[0]["m_vis"] for item in (plain, other)
    )
    regions = list(before.axes["region"])
    place, row = regions.index("signal"), list(before.axes["process"]).index("ZTT")
    left = before.values(flow=True).copy()
    assert left[row, place].sum() > 0
    left[row, place] = 0.0
    assert np.array_equal(after.values(flow=True), left)
    assert left[row, regions.index("ss_signal")].sum() > 0


def test_a_dropped_weight_is_caught(dataset: DatasetEvents, analysis_config: Config) -> None:
    """NaN weights make Σw of histogram and events differ."""
    assert dataset.weights is not None
    broken = dataset.weights.nominal.copy()
    broken[:50] = np.nan
    bad = replace(dataset, weights=replace(dataset.weights, nominal=broken))
    with pytest.raises(TaipanError, match="Σw of histogram and events differ"):
        fill_dataset(bad, ANALYSIS, settings(analysis_config), score)


def test_data_get_weight_one_and_no_variation(
    dataset: DatasetEvents, analysis_config: Config
) -> None:
    data = replace(dataset, is_data=True, weights=None)
    histograms, _ = fill_dataset(data, ANALYSIS, settings(analysis_config), score)
    histogram = histograms["nn_score"]
    assert list(histogram.axes["process"]) == [DATA]
    # only a weight of the events that QCD is made of
    assert list(histogram.axes["variation"]) == [NOMINAL, "qcd_shape_up"]
    varied = histogram[hist.loc(DATA), :, hist.loc("qcd_shape_up"), :].values(flow=True)
    partners = list(find_sources(analysis_config.samples).values())
    for i, region in enumerate(histogram.axes["region"]):
        assert (varied[i].sum() > 0) == (region in partners)
    nominal = histogram[:, :, hist.loc(NOMINAL), :]
    assert np.array_equal(nominal.values(flow=True), nominal.variances(flow=True))


def toy(values: dict[tuple[str, str, str], list[float]], variations: list[str]) -> hist.Hist:
    histogram = hist.Hist(
        hist.axis.StrCategory(["sig", "Z", "QCD", DATA], name="process"),
        hist.axis.StrCategory(["os", "ss", "rest"], name="region"),
        hist.axis.StrCategory([NOMINAL, *variations], name="variation"),
        hist.axis.Variable([0.0, 1.0, 2.0], name="x"),
        storage=hist.storage.Weight(),
    )
    for (process, region, variation), content in values.items():
        for x, weight in zip((0.5, 1.5), content, strict=True):
            histogram.fill(process, region, variation, [x], weight=[weight])
    return histogram


SAMPLES = {
    "sig": Sample(label="s", role="signal", datasets=["s"]),
    "Z": Sample(label="Z", datasets=["z"]),
    "QCD": Sample(label="QCD", estimate=same_sign(os="ss")),
}
REGIONS = {"os": Region(cut="q < 0"), "ss": Region(cut="q > 0")}


FITTED = {"os": Region(cut="q < 0", role="signal"), "rest": Region(cut="q > 0")}


def test_region_without_events_is_named() -> None:
    """The same-sign estimate is not zero there; it once hid that no event passes."""
    regions = {
        "os": Region(cut="q < 0", role="signal"),
        "ss": Region(cut="q > 0"),
    }
    yields = {
        ("os", "sig"): (1.0, 0.1),
        ("os", "Z"): (2.0, 0.1),
        ("os", "QCD"): (-7.0, 3.0),
        ("os", DATA): (3.0, 1.7),
        ("ss", "sig"): (0.0, 0.0),
        ("ss", "Z"): (0.0, 0.4),  # weights of both signs
        ("ss", "QCD"): (0.0, 0.0),
        ("ss", DATA): (0.0, 0.0),
    }

    def check(changes: dict[tuple[str, str], tuple[float, float]]) -> str | None:
        items = {**yields, **changes}.items()
        try:
            check_yields([Yield(*key, *value) for key, value in items], SAMPLES, regions)
        except TaipanError as error:
            return str(error)
        return None

    assert check({}) is None
    empty = {("os", name): (0.0, 0.0) for name in ("sig", "Z", DATA)}
    assert check(empty) == "regions.os.cut: 'q < 0': no event of any process passes it"
    assert check({("ss", "Z"): (0.0, 0.0)}) == (
        "regions.ss.cut: 'q > 0': no event of any process passes it"
    )
    assert check({("os", "Z"): (-1.5, 2.0)}) == (
        "sample Z, region os: Σw = -1.5; the yield of a simulated process must be positive"
    )
    assert check({("os", "QCD"): (0.0, 0.0)}) is None


def test_same_sign_estimate_by_hand() -> None:
    shift = Variation(
        "scale_up", make_systematic(kind="kinematic", shift="s", samples=["Z"], size=0.1), 1.0
    )
    histogram = toy(
        {
            (DATA, "ss", NOMINAL): [10.0, 7.0],
            ("Z", "ss", NOMINAL): [4.0, 1.0],
            ("Z", "ss", "scale_up"): [3.0, 2.5],
            ("Z", "os", NOMINAL): [50.0, 60.0],
        },
        ["scale_up"],
    )
    out = add_estimate(histogram, SAMPLES, REGIONS, [shift], measured(SAMPLES, 1.5))
    cell = out[hist.loc("QCD"), hist.loc("os"), :, :]
    np.testing.assert_allclose(cell[hist.loc(NOMINAL), :].values(), [9.0, 9.0])
    np.testing.assert_allclose(cell[hist.loc("scale_up"), :].values(), [10.5, 6.75])
    # Σw² = 1.5² (w_data² + w_Z²), each entered as one weighted event
    np.testing.assert_allclose(
        cell[hist.loc(NOMINAL), :].variances(), 2.25 * np.array([116.0, 50.0])
    )
    assert histogram[hist.loc("QCD"), :, :, :].values().sum() == 0.0  # the input is not changed


def test_transfer_factor_and_its_error() -> None:
    factor = measure_transfer_factor((220.0, 484.0), (200.0, 100.0), ("a", "b"))
    assert factor.value == pytest.approx(1.1)
    assert factor.stat == pytest.approx(1.1 * np.hypot(22 / 220, 10 / 200))
    with pytest.raises(TaipanError, match="-3.*region 'b'.*must be positive"):
        measure_transfer_factor((1.0, 1.0), (-3.0, 1.0), ("a", "b"))


def test_datasets_add_up_exactly() -> None:
    part = toy({("Z", "os", NOMINAL): [1.0, 2.0]}, [])
    total = add_datasets(
        [{"x": part}, {"x": part}],
        {"x": Observable(label="x", binning=[0.0, 1.0, 2.0])},
        ["sig", "Z", "QCD", DATA],
        ["os", "ss", "rest"],
        [NOMINAL],
    )["x"]
    found = {(item.region, item.process): item for item in list_yields(total)}
    assert found["os", "Z"].value == 6.0
    assert found["os", "Z"].stat == pytest.approx(np.sqrt(2 * (1 + 4)))


def test_histogram_files_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    """uhi writes the arrays in the order of a set: equal runs once gave different files."""
    write_histograms(tmp_path / "here.zip", {"x": toy({("Z", "os", NOMINAL): [1.0, 2.0]}, [])})
    code = (
        "from taipan.templates.store import read_histograms as r, write_histograms as w;"
        "w('there.zip', r('here.zip'))"
    )
    for seed in range(4):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
        assert (tmp_path / "there.zip").read_bytes() == (tmp_path / "here.zip").read_bytes()


def test_histogram_files_are_reproducible_and_checked(tmp_path: Path) -> None:
    histogram = toy({("Z", "os", NOMINAL): [1.0, -2.0]}, [])
    write_histograms(tmp_path / "a.zip", {"x": histogram})
    write_histograms(tmp_path / "b.zip", {"x": histogram})
    content = (tmp_path / "a.zip").read_bytes()
    assert content == (tmp_path / "b.zip").read_bytes()
    assert read_histograms(tmp_path / "a.zip")["x"] == histogram
    (tmp_path / "a.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(TaipanError, match="a.zip is not a readable histogram file"):
        read_histograms(tmp_path / "a.zip")
