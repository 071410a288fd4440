"""The analysis `higgsml` on the 1,000 public rows: quantities, shifts, templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.analysis_folder import import_part, shipped_folder
from taipan.analysis_selection import load_analysis
from taipan.config.load import load_catalogue, read_config
from taipan.config.model import Config
from taipan.coverage.truth import draw_truth
from taipan.datasets import Catalogue
from taipan.events.load import DatasetEvents, load_dataset
from taipan.normalisation import Normalisation
from taipan.skim.run import Chunk, SkimSettings, skim_chunk
from taipan.templates.build import add_parts, plan_filling
from taipan.templates.fill import fill_blocks
from tests.real_data import real_data

ROOT = Path(__file__).parents[2]
FOLDER, needs_data = real_data("fair-universe")
FILE = FOLDER / "FAIR_Universe_HiggsML_data.parquet"
DERIVED = import_part(shipped_folder("higgsml"), "derived")
SIMULATION = import_part(shipped_folder("higgsml"), "simulation")

Array = NDArray[Any]


def load(**keys: Any) -> tuple[Config, Catalogue, Analysis]:
    config = read_config([], ROOT, analysis="higgsml", **keys)
    return config, load_catalogue(config), load_analysis(config.folder, config.quantities)


def skim(path: Path, folder: Path, label: str, catalogue: Catalogue) -> DatasetEvents:
    """Skim the rows of a label and give them their weights at 10 fb⁻¹."""
    assert catalogue.table is not None
    analysis = load()[2]
    reading = {
        "format": catalogue.table.model_dump(mode="json"),
        "label": label,
        "labels": list(catalogue.datasets),
    }
    settings = SkimSettings(label, False, "tables", {"tau_pt": 0.1}, 5000, table=reading)
    out = folder / f"{label}.parquet"
    skim_chunk(Chunk(path), analysis, settings, out, folder / f"{label}.json", {})
    norm = Normalisation(label, False, 1.0, 1, 1.0, 10.0)
    return load_dataset([out], analysis, norm, None, 2)


@pytest.fixture(scope="module")
def rows() -> dict[str, Array]:
    """The public rows, columns as they are, -25 as NaN."""
    table = pq.read_table(FILE)
    found = {name: table[name].to_numpy() for name in table.column_names}
    return {
        name: np.where(v == -25.0, np.nan, v.astype(np.float64)) if v.dtype.kind == "f" else v
        for name, v in found.items()
    }


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DatasetEvents]:
    folder = tmp_path_factory.mktemp("higgsml")
    catalogue = load(catalogue="challenge", files="data")[1]
    return {name: skim(FILE, folder, name, catalogue) for name in catalogue.datasets}


@pytest.fixture(scope="module")
def templates(public: dict[str, DatasetEvents]) -> Any:
    """Histograms of the visible mass of the public rows, every region and variation."""
    config, _, analysis = load()
    chosen = {"DER_mass_vis": config.observables["DER_mass_vis"]}
    plan = plan_filling(config, analysis, "no file", chosen)
    parts = [fill_blocks([events], analysis, plan, None)[0] for events in public.values()]
    return add_parts(parts, config, chosen, plan.variations)["DER_mass_vis"]


def fitted(templates: Any, sample: str, variation: str = "nominal") -> Array:
    """Bins of both fitted regions, one after the other."""
    regions = ("two_jets", "boosted")
    return np.concatenate([templates[sample, r, variation, :].values() for r in regions])


@needs_data
@pytest.mark.parametrize("name", sorted(DERIVED.MEANINGS))
def test_derived_quantities_are_those_of_the_public_file(name: str, rows: dict[str, Array]) -> None:
    found = DERIVED.derive(rows)[name]
    known = rows[name]
    assert (np.isnan(found) == np.isnan(known)).all()
    there = ~np.isnan(known)
    assert there.sum() > 100
    # single precision of the file: √(E² - p²) of a small transverse mass has few digits
    tolerance = 1e-2 if name == "DER_mass_transverse_met_lep" else 1e-3
    assert found[there] == pytest.approx(known[there], rel=1e-4, abs=tolerance)


@needs_data
def test_selected_rows_keep_their_primary_quantities(
    rows: dict[str, Array], public: dict[str, DatasetEvents]
) -> None:
    """Without jets below the threshold, and up to the soft momentum, a row stays as it is."""
    analysis = load()[2]
    mine = rows["detailed_labels"] == "ztautau"
    chosen = mine & (rows["PRI_had_pt"] >= 26) & (rows["PRI_lep_pt"] >= 20)
    events = public["ztautau"]
    quantities = analysis.compute({**events.columns, "soft_met": 0.0 * events.columns["soft_met"]})
    passes = quantities["passes"]
    assert passes.sum() == chosen.sum()
    soft_jet = (rows["PRI_jet_leading_pt"] < 26) | (rows["PRI_jet_subleading_pt"] < 26)
    hard = ~soft_jet[chosen]
    for name in (*(n for n in rows if n.startswith("PRI_")), "DER_mass_vis", "DER_pt_h"):
        known = rows[name][chosen][hard]
        assert quantities[name][passes][hard] == pytest.approx(
            known, rel=2e-4, abs=2e-3, nan_ok=True
        )
    counts = rows["PRI_n_jets"][chosen] - sum(
        (rows[f"PRI_jet_{which}_pt"][chosen] < 26).astype(int)
        for which in ("leading", "subleading")
    )
    assert quantities["PRI_n_jets"][passes].tolist() == counts.tolist()


@needs_data
def test_tau_and_jet_scales_have_their_size_and_move_the_missing_momentum(
    rows: dict[str, Array], public: dict[str, DatasetEvents]
) -> None:
    """One per cent, not a tenth of it; the vector sum of everything measured stays what it was."""
    config, _, analysis = load()
    columns = public["ttbar"].columns
    for name, objects in (("tes", ("Tau",)), ("jes", ("Jet",))):
        shifted = config.systematics[name].shift_columns(columns, analysis, 1.0)
        assert shifted is not None
        total = np.zeros((2, 2, len(columns["MET_pt"])))
        for i, state in enumerate((columns, shifted)):
            for group in ("MET", *objects):
                pt, phi = (np.nan_to_num(state[f"{group}_{key}"]) for key in ("pt", "phi"))
                x, y = pt * np.cos(phi), pt * np.sin(phi)
                total[i] += [v.sum(axis=1) if v.ndim == 2 else v for v in (x, y)]
        assert total[1] == pytest.approx(total[0], abs=2e-3)
        there = ~np.isnan(columns[f"{objects[0]}_pt"])
        ratio = shifted[f"{objects[0]}_pt"][there] / columns[f"{objects[0]}_pt"][there]
        assert ratio == pytest.approx(1.01, rel=1e-5)
    assert shifted["jet_all_pt"] == pytest.approx(1.01 * columns["jet_all_pt"], rel=1e-5)


def test_soft_momentum_has_the_median_and_the_spread_of_the_challenge() -> None:
    """exp(N(0, 1)) GeV, at most 5: each component of the MET is smeared by it."""
    config, _, analysis = load()
    n = 200_000
    hashes = np.arange(n, dtype=np.uint64) * np.uint64(7919)
    columns = {"soft_met": np.ones(n, np.float32), "event_hash": hashes}
    draw = import_part(shipped_folder("higgsml"), "selection").draw_soft
    for pull, size in ((0.0, 1.0), (1.0, np.e), (-1.0, 1 / np.e), (3.0, 5.0)):
        shifted = config.systematics["soft_met"].shift_columns(columns, analysis, pull)
        assert shifted is not None
        assert shifted["soft_met"] == pytest.approx(size, rel=1e-6)
        for component in draw(hashes, shifted["soft_met"]):
            assert component.std() == pytest.approx(size, rel=0.01)
            assert component.mean() == pytest.approx(0.0, abs=5 * size / np.sqrt(n))
    x, y = draw(hashes, columns["soft_met"])
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(0.0, abs=0.01)


@needs_data
@pytest.mark.parametrize(
    "name", ["tes", "jes", "soft_met", "ttbar_scale", "diboson_scale", "bkg_scale"]
)
def test_every_nuisance_alone_moves_a_template(name: str, templates: Any) -> None:
    config = load()[0]
    assert name in config.systematics
    acting = config.systematics[name].samples
    moved = {
        sample: np.abs(fitted(templates, sample, f"{name}_up") - fitted(templates, sample)).sum()
        for sample in acting
    }
    # a shift of 1 % moves some events of the 1,000 across edges, if few
    assert sum(moved.values()) > 0.0
    if name.endswith("_scale"):
        assert all(value > 0.0 for value in moved.values())


@needs_data
def test_normalisations_have_the_sizes_of_the_challenge(templates: Any) -> None:
    for name, sample, size in (
        ("ttbar_scale", "ttbar", 0.02),
        ("diboson_scale", "diboson", 0.25),
        ("bkg_scale", "ttbar", 0.001),
        ("bkg_scale", "ztautau", 0.001),
    ):
        nominal = fitted(templates, sample)
        assert nominal.sum() > 0.0
        assert fitted(templates, sample, f"{name}_up") == pytest.approx((1 + size) * nominal)


@needs_data
def test_a_tau_below_the_threshold_comes_in_when_its_energy_is_raised(
    public: dict[str, DatasetEvents],
) -> None:
    """Migration: the cut acts after the shift."""
    config, _, analysis = load()
    columns = public["ztautau"].columns
    passed = []
    for pull in (-5.0, 0.0, 5.0):
        shifted = config.systematics["tes"].shift_columns(columns, analysis, pull)
        assert shifted is not None
        passed.append(analysis.compute(shifted)["passes"])
        expected = columns["Tau_pt"][:, 0] * (1.0 + 0.01 * pull) >= 26.0
        assert (passed[-1] == expected).all()
    assert passed[0].sum() < passed[1].sum() < passed[2].sum()


def test_nuisances_are_drawn_with_the_widths_of_the_challenge() -> None:
    """Not ten times narrower: the pull is normal, and a size is what one pull is worth."""
    config = load()[0]
    rng = np.random.default_rng(5)
    drawn = [draw_truth(config.systematics, (0.1, 3.0), rng) for _ in range(4000)]
    sizes = {"tes": 0.01, "jes": 0.01, "soft_met": 1.0}
    for name, size in sizes.items():
        values = [getattr(config.systematics[name], "size") * t.pulls[name] for t in drawn]  # noqa: B009
        assert np.std(values) == pytest.approx(size, rel=0.05)
    mus = np.array([t.mu for t in drawn])
    assert (mus.min(), mus.max()) == pytest.approx((0.1, 3.0), abs=0.01)


def test_stand_in_has_the_expected_events_and_columns_of_the_challenge(tmp_path: Path) -> None:
    expected = {"htautau": 1039, "ztautau": 1.0032e6, "ttbar": 40.9e3, "diboson": 6269}
    catalogue = load()[1]
    assert catalogue.table is not None
    for name, number in expected.items():
        path = tmp_path / f"{name}.parquet"
        SIMULATION.write_dataset(name, path, {"events": {name: 500}}, seed=3)
        table = pq.read_table(path)
        assert table.num_rows == 500
        assert table["weights"].to_numpy().sum() == pytest.approx(number, rel=1e-3)
        assert set(catalogue.table.names(is_data=False)) <= set(table.column_names)
        again = tmp_path / "again.parquet"
        SIMULATION.write_dataset(name, again, {"events": {name: 500}}, seed=3)
        assert again.read_bytes() == path.read_bytes()
        jets = table["PRI_n_jets"].to_numpy()
        leading = table["PRI_jet_leading_pt"].to_numpy()
        assert ((leading == -25.0) == (jets == 0)).all()
        assert (table["PRI_had_pt"].to_numpy() > 22.0).all()
