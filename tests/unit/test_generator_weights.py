"""Generator weights of real NanoAOD: templates against sums with uproot and NumPy alone."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import awkward as ak
import hist
import numpy as np
import pytest
import uproot

from taipan.analysis_selection import load_analysis
from taipan.atomic import read_json, write_json
from taipan.checks.generator_files import check_generator_files
from taipan.config.load import load_catalogue, read_config
from taipan.config.model import Config
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.skim.run import Chunk, SkimSettings, skim_chunk
from taipan.stages.combine_templates import combine_templates
from taipan.stages.histogram import histogram
from taipan.stages.normalise import normalise
from taipan.systematics.members import generator_branches
from taipan.templates.store import read_histograms
from tests.conftest import ROOT
from tests.real_data import real_data

FOLDER = ROOT / "tests/jets_analysis"
REAL, needs_real = real_data("nanoaod-samples")
FILES = {
    "ttbar": "nanoAOD_2015_CMS_Open_Data_ttbar.root",
    "ttbar_v12": "nano_tt_v12.root",
    "dy": "nano_dy.root",
}
EDGES = [-np.inf, 60.0, 200.0, 300.0, 500.0, np.inf]
LUMINOSITY = 1000.0  # pb⁻¹


def read() -> tuple[Config, Catalogue]:
    config = read_config([], ROOT, analysis=str(FOLDER))
    config = config.model_copy(update={"files": str(REAL)})
    return config, load_catalogue(config)


def skim(
    dataset: str, folder: Path, config: Config, entries: list[int | None]
) -> tuple[list[str], list[str], list[str]]:
    """Skim a file in the ranges between `entries`."""
    analysis = load_analysis(FOLDER)
    settings = SkimSettings(
        *(dataset, False, "nanoaod", {}, 30),  # several steps a chunk
        weight_lists=tuple(generator_branches(config, dataset)),
    )
    found: tuple[list[str], list[str], list[str]] = ([], [], [])
    for i, (start, stop) in enumerate(itertools.pairwise(entries)):
        paths = [folder / f"{dataset}{i}{end}" for end in (".parquet", ".json", "_ids.parquet")]
        chunk = Chunk(REAL / FILES[dataset], start or 0, stop)
        skim_chunk(chunk, analysis, settings, paths[0], paths[1], {}, paths[2])
        for kind, path in zip(found, paths, strict=True):
            kind.append(str(path))
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Templates of the three files, through the stages; files are read in one to three chunks."""
    folder = tmp_path_factory.mktemp("generator")
    config, catalogue = read()
    entries: dict[str, list[int | None]] = {
        "ttbar": [0, 70, 71, None], "ttbar_v12": [0, 100, None], "dy": [0, None]
    }  # fmt: skip
    skimmed = {name: skim(name, folder, config, entries[name]) for name in FILES}
    paths = {
        name: str(folder / name)
        for name in ("norm.json", "flow.json", "flow.csv", "skipped.json", "pileup.json",
                     "shapes.json", "templates.zip", "control.zip", "residuals.json", "tf.json")
    }  # fmt: skip
    normalise(
        [path for name in FILES for path in skimmed[name][1]],
        catalogue.model_dump(mode="json"),
        LUMINOSITY / 1000.0,
        {name: catalogue.dataset(name).generated_events for name in FILES},
        *(paths[name] for name in ("norm.json", "flow.json", "flow.csv", "skipped.json")),
        {name: skimmed[name][2] for name in FILES},
        generator=config,
    )
    write_json(paths["pileup.json"], {"enabled": False})
    write_json(paths["shapes.json"], {})
    write_json(paths["tf.json"], None)
    filled = []
    for name in FILES:
        both = [str(folder / f"{name}{end}.zip") for end in ("", "_control")]
        histogram(
            dataset=name, events=skimmed[name][0], models=[], others={},
            normalisation=paths["norm.json"], pileup=paths["pileup.json"],
            shapes=paths["shapes.json"], edges=None, drop_fold=None, config=config, threads=1,
            observables=both[0], control=both[1],
        )  # fmt: skip
        filled.append(both)
    combine_templates(
        observables=[f[0] for f in filled], control_plots=[f[1] for f in filled],
        transfer_factor=paths["tf.json"], edges=None, config=config,
        templates=paths["templates.zip"], control=paths["control.zip"],
        residuals=paths["residuals.json"], has_data=False, normalisation=paths["norm.json"],
    )  # fmt: skip
    return {
        "templates": read_histograms(paths["templates.zip"])["ht"],
        "norm": read_json(paths["norm.json"]),
        "members": read_histograms(filled[0][0]),
    }


class ByHand:
    """A file as uproot reads it: yields of the bins of a region, with any weights."""

    def __init__(self, dataset: str, cross_section: float) -> None:
        tree = uproot.open(REAL / FILES[dataset])["Events"]
        jets = tree.arrays(["Jet_pt", "Jet_eta"])
        good = (jets.Jet_pt > 30) & (abs(jets.Jet_eta) < 2.4)
        self.number = ak.to_numpy(ak.sum(good, axis=1))
        self.ht = ak.to_numpy(ak.sum(jets.Jet_pt[good], axis=1))
        self.weight = tree["genWeight"].array(library="np").astype(float)
        self.size = cross_section * LUMINOSITY
        self.tree = tree

    def lists(self, branch: str) -> Any:
        return ak.to_numpy(self.tree[branch].array()).astype(float)

    def fill(self, region: str, factors: Any = 1.0, total: float | None = None) -> Any:
        """Yields with Σ genWeight of the events, or `total`, as that of what was generated."""
        kept = self.number >= (4 if region == "many" else 2)
        if region == "few":
            kept &= self.number < 4
        weights = self.weight * factors * self.size / (total or self.weight.sum())
        return np.array(
            [
                weights[kept & (self.ht >= low) & (self.ht < high)].sum()
                for low, high in itertools.pairwise(EDGES)
            ]
        )


TTBAR, DY = 831.76, 6077.22


def cell(made: dict[str, Any], sample: str, region: str, label: str) -> Any:
    place = {"process": hist.loc(sample), "region": hist.loc(region), "variation": hist.loc(label)}
    return made["templates"][place].values(flow=True)


REGIONS = ("few", "many")


@needs_real
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize(("dataset", "sample"), [("ttbar", "TT"), ("ttbar_v12", "TT12")])
def test_scales_are_an_envelope_of_six_at_the_cross_section_before_cuts(
    made: dict[str, Any], region: str, dataset: str, sample: str
) -> None:
    """Members 0, 1, 3, 5, 7 and 8, each divided by its mean over the 200 events."""
    file = ByHand(dataset, TTBAR)
    lists = file.lists("LHEScaleWeight")
    means = (file.weight[:, None] * lists).sum(axis=0) / file.weight.sum()
    filled = [file.fill(region, lists[:, i] / means[i]) for i in (0, 1, 3, 5, 7, 8)]
    nominal = file.fill(region)
    assert cell(made, sample, region, "nominal") == pytest.approx(nominal, rel=1e-6)
    up, down = (np.array([nominal, *filled]).max(axis=0), np.array([nominal, *filled]).min(axis=0))
    assert cell(made, sample, region, "tt_scale_up") == pytest.approx(up, rel=1e-5)
    assert cell(made, sample, region, "tt_scale_down") == pytest.approx(down, rel=1e-5)
    assert (up - nominal).max() > 0.02 * nominal.max()
    assert np.abs(means - 1.0).max() > 0.05  # most of it would be a cross section


@needs_real
@pytest.mark.parametrize("region", REGIONS)
def test_one_scale_is_a_pair_and_keeps_the_change_of_the_cross_section_if_told(
    made: dict[str, Any], region: str
) -> None:
    file = ByHand("ttbar", TTBAR)
    lists = file.lists("LHEScaleWeight")
    for label, member in (("tt_muR_up", 7), ("tt_muR_down", 1)):
        expected = file.fill(region, lists[:, member])
        assert cell(made, "TT", region, label) == pytest.approx(expected, rel=1e-5)


@needs_real
@pytest.mark.parametrize("region", REGIONS)
def test_replicas_give_their_standard_deviation_and_alpha_s_is_added(
    made: dict[str, Any], region: str
) -> None:
    """LHA IDs 292201 to 292302: 100 replicas, then 0.117 and 0.119, for 0.0015 around 0.118."""
    file = ByHand("ttbar", TTBAR)
    lists = file.lists("LHEPdfWeight")
    means = (file.weight[:, None] * lists).sum(axis=0) / file.weight.sum()
    filled = np.array([file.fill(region, lists[:, i] / means[i]) for i in range(102)])
    size = np.hypot(filled[:100].std(axis=0, ddof=1), 1.5 * (filled[101] - filled[100]) / 2)
    nominal = file.fill(region)
    for label, sign in (("tt_pdf_up", 1), ("tt_pdf_down", -1)):
        expected = nominal + sign * size
        assert cell(made, "TT", region, label) == pytest.approx(expected, rel=1e-5)
    assert (size / np.maximum(nominal, 1e-9)).max() > 0.005


@needs_real
@pytest.mark.parametrize("region", REGIONS)
def test_eigenvectors_are_added_in_quadrature_about_their_central_member(
    made: dict[str, Any], region: str
) -> None:
    file = ByHand("ttbar_v12", TTBAR)
    lists = file.lists("LHEPdfWeight")
    means = (file.weight[:, None] * lists).sum(axis=0) / file.weight.sum()
    filled = np.array([file.fill(region, lists[:, i] / means[i]) for i in range(101)])
    size = np.sqrt(((filled[1:] - filled[0]) ** 2).sum(axis=0))
    for label, sign in (("tt12_pdf_up", 1), ("tt12_pdf_down", -1)):
        expected = file.fill(region) + sign * size
        assert cell(made, "TT12", region, label) == pytest.approx(expected, rel=1e-5)


@needs_real
@pytest.mark.parametrize("region", REGIONS)
def test_shower_keeps_the_cross_section_before_cuts(made: dict[str, Any], region: str) -> None:
    file = ByHand("ttbar_v12", TTBAR)
    lists = file.lists("PSWeight")
    means = (file.weight[:, None] * lists).sum(axis=0) / file.weight.sum()
    for label, member in (("tt12_isr_up", 0), ("tt12_isr_down", 2)):
        expected = file.fill(region, lists[:, member] / means[member])
        assert cell(made, "TT12", region, label) == pytest.approx(expected, rel=1e-5)


@needs_real
def test_file_that_was_skimmed_is_normalised_to_the_sums_of_its_runs(made: dict[str, Any]) -> None:
    """40 of 850,098 events; its `Runs` adds the quotients of 43 merged files."""
    runs = uproot.open(REAL / FILES["dy"])["Runs"]
    total = float(runs["genEventSumw_"].array()[0])
    file = ByHand("dy", DY)
    for branch, sums, members in (
        ("LHEScaleWeight", "LHEScaleSumw_", 9),
        ("LHEPdfWeight", "LHEPdfSumw_", 33),
    ):
        means = np.asarray(runs[sums].array()[0]) / 43.0
        found = made["norm"]["dy"]["weight_means"][branch]
        assert len(found["means"]) == members
        assert found["means"] == pytest.approx(means, rel=1e-6)
    lists = file.lists("LHEScaleWeight")
    means = np.asarray(runs["LHEScaleSumw_"].array()[0]) / 43.0
    for region in REGIONS:
        nominal = file.fill(region, total=total)
        filled = [nominal] + [
            file.fill(region, lists[:, i] / means[i], total) for i in (0, 1, 3, 5, 7, 8)
        ]
        for label, extreme in (("dy_scale_up", np.max), ("dy_scale_down", np.min)):
            expected = extreme(filled, axis=0)
            assert cell(made, "DY", region, label) == pytest.approx(expected, rel=1e-5)


@needs_real
@pytest.mark.parametrize("region", REGIONS)
def test_alpha_s_alone_and_the_shape_of_a_symmetric_hessian_set(
    made: dict[str, Any], region: str
) -> None:
    """PDF4LHC15_nnlo_30_pdfas: a central member, 30 eigenvectors, α_s 0.1165 and 0.1195."""
    runs = uproot.open(REAL / FILES["dy"])["Runs"]
    total = float(runs["genEventSumw_"].array()[0])
    file = ByHand("dy", DY)
    lists = file.lists("LHEPdfWeight")
    nominal = file.fill(region, total=total)
    means = np.asarray(runs["LHEPdfSumw_"].array()[0]) / 43.0
    higher, lower = (file.fill(region, lists[:, i] / means[i], total) for i in (32, 31))
    step = (higher - lower) / 2
    assert cell(made, "DY", region, "dy_alpha_s_up") == pytest.approx(nominal + step, rel=1e-5)
    filled = np.array([file.fill(region, lists[:, i], total) for i in range(31)])
    filled *= nominal.sum() / filled.sum(axis=1, keepdims=True) if nominal.sum() else 1.0
    size = np.sqrt(((filled[1:] - filled[0]) ** 2).sum(axis=0))
    assert cell(made, "DY", region, "dy_pdf_down") == pytest.approx(nominal - size, rel=1e-5)


@needs_real
def test_radiation_is_varied_in_the_direction_of_the_title(made: dict[str, Any]) -> None:
    """NanoAODv6 has the halved scale first: FSR=0.5 is member 1, FSR=2 member 3."""
    runs = uproot.open(REAL / FILES["dy"])["Runs"]
    total = float(runs["genEventSumw_"].array()[0])
    file = ByHand("dy", DY)
    lists = file.lists("PSWeight")
    for region in REGIONS:
        for label, member in (("dy_fsr_up", 3), ("dy_fsr_down", 1)):
            expected = file.fill(region, lists[:, member], total)
            assert cell(made, "DY", region, label) == pytest.approx(expected, rel=1e-5)


@needs_real
def test_each_event_counts_once_in_the_means_whatever_the_chunks(made: dict[str, Any]) -> None:
    file = ByHand("ttbar", TTBAR)
    for branch in ("LHEScaleWeight", "LHEPdfWeight"):
        lists = file.lists(branch)
        means = (file.weight[:, None] * lists).sum(axis=0) / file.weight.sum()
        found = made["norm"]["ttbar"]["weight_means"][branch]["means"]
        assert found == pytest.approx(means, rel=1e-7)


@needs_real
def test_files_at_hand_are_looked_into_before_anything_runs() -> None:
    config, catalogue = read()
    assert list(check_generator_files(config, catalogue)) == []

    def lines(**changes: dict[str, Any]) -> list[str]:
        items = {
            name: item.model_copy(update=changes.get(name, {}))
            for name, item in config.systematics.items()
        }
        changed = config.model_copy(update={"systematics": items})
        return list(check_generator_files(changed, catalogue))

    found = lines(
        dy_scale={"members": [0, 9]},
        tt12_pdf={"method": None, "members": None},
        dy_fsr={"normalisation": "acceptance"},
        tt12_isr={"members": None},
    )
    assert [line.partition(":")[0] for line in found] == [
        f"systematics.{name}" for name in ("dy_scale", "tt12_pdf", "dy_fsr", "tt12_isr")
    ]
    assert found[0].endswith("LHEScaleWeight: members: 9 is no member of 9 (0 to 8)")
    assert "103 weights whose title ('LHEPdfWeight/F') names no known set" in found[1]
    assert found[2].startswith("systematics.dy_fsr: dataset 'dy', PSWeight: ")
    assert "nano_dy.root holds 40 of 850098 generated events" in found[2]
    assert "has no PSSumw" in found[2]
    assert "4 weights whose title does not say what they are" in found[3]
    (line,) = lines(dy_fsr={"samples": ["TT"]})
    assert "PSWeight: 1 weight (4 are needed; a single one is a placeholder" in line


def write_file(path: Path, counts: list[int], branch: str = "LHEScaleWeight") -> None:
    with uproot.recreate(path) as file:
        lists = ak.unflatten(np.ones(sum(counts), np.float32), counts)
        arrays = {"genWeight": np.ones(len(counts), np.float32), branch: lists}
        file.mktree("Events", {"genWeight": "float32", branch: "var * float32"})
        file["Events"].extend(arrays)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            [[9, 9, 8], [9]],
            "a.root: LHEScaleWeight has weights of another number: 8 in 1 event (first in entry 2),"
            " 9 in 2 events (first in entry 0); every event must have the same",
        ),
        ([[0, 0, 0], [9]], "a.root: LHEScaleWeight has no weights (0 in each of 3 events)"),
        (
            [[9, 9], [8, 8]],
            "dataset 'ttbar': b.root: LHEScaleWeight has 8 weights, but 9 in a.root; all files of a"
            " dataset must have the same",
        ),
    ],
)
def test_weights_of_another_length_are_refused_with_file_branch_and_counts(
    tmp_path: Path, counts: list[list[int]], message: str
) -> None:
    for name, numbers in zip("ab", counts, strict=True):
        write_file(tmp_path / f"{name}.root", numbers)
    assert message in only_line(tmp_path)


def test_file_without_the_branch_is_refused_with_those_it_has(tmp_path: Path) -> None:
    write_file(tmp_path / "a.root", [9], "LHEPdfWeight")
    write_file(tmp_path / "b.root", [9])
    line = only_line(tmp_path)
    assert "a.root: no branch 'LHEScaleWeight', which systematics of generator weights need" in line
    assert "(it has LHEPdfWeight;" in line


def only_line(folder: Path) -> str:
    """Give what is said of two files of the sample TT, of which the scales are varied."""
    config, catalogue = read()
    dataset = catalogue.dataset("ttbar").model_copy(update={"files": ["a.root", "b.root"]})
    items = {"tt_scale": config.systematics["tt_muR"]}
    changed = config.model_copy(update={"systematics": items, "files": str(folder)})
    files = catalogue.model_copy(update={"datasets": {**catalogue.datasets, "ttbar": dataset}})
    (line,) = check_generator_files(changed, files)
    return line


@needs_real
def test_weights_that_are_not_there_end_the_skim_at_once(tmp_path: Path) -> None:
    config, _ = read()
    analysis = load_analysis(FOLDER)
    settings = SkimSettings("dy", False, "nanoaod", {}, 30, weight_lists=("LHEPdfWeight",))
    write_file(tmp_path / "a.root", [9])
    chunk = Chunk(tmp_path / "a.root")
    with pytest.raises(TaipanError, match="a.root: no branch 'LHEPdfWeight'"):
        skim_chunk(chunk, analysis, settings, tmp_path / "e", tmp_path / "c", {})
    assert not (tmp_path / "e").exists()
    assert json.loads(json.dumps(generator_branches(config, "dy"))) == [
        "LHEPdfWeight", "LHEScaleWeight", "PSWeight"
    ]  # fmt: skip
