"""Weights of simulated events: signs and sums are those of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot

from taipan.errors import TaipanError
from taipan.events.load import load_dataset
from taipan.events.weights import (
    VertexWeights,
    measure_vertex_weights,
    read_vertex_weights,
    stretch_vertices,
    weigh_events,
)
from taipan.fastsim import write_dataset
from taipan.normalisation import Normalisation
from taipan.skim.run import Chunk, skim_chunk
from tests.conftest import fastsim_settings, skim_settings
from tests.htautau import ANALYSIS

NLO = "DYToTauTau_NLO"
WEIGHTS = np.array([1.5, -1.5, 1.5, 1.5, -1.5], dtype=np.float32)
VERTICES = np.array([0, 1, 2, 2, 9])


def columns() -> dict[str, np.ndarray]:
    found = {"genWeight": WEIGHTS.copy(), "PV_npvs": VERTICES.copy()}
    for values in found.values():
        values.flags.writeable = False  # what is passed in is never changed
    return found


def test_each_weight_keeps_its_sign_and_size() -> None:
    found = weigh_events(columns(), 0.25, None)
    np.testing.assert_array_equal(found.nominal, [0.375, -0.375, 0.375, 0.375, -0.375])
    assert found.alternatives == {}


def test_pile_up_keeps_signs_and_the_signed_sum() -> None:
    found = weigh_events(columns(), 2.0, VertexWeights((0.5, 1.0, 2.0)))
    plain = 2.0 * WEIGHTS
    raw = plain * [0.5, 1.0, 2.0, 2.0, 2.0]
    np.testing.assert_allclose(found.nominal, raw * plain.sum() / raw.sum(), rtol=1e-12)
    assert found.nominal.sum() == pytest.approx(3.0, rel=1e-12)
    np.testing.assert_array_equal(found.alternatives["pileup"], plain)


def test_stretched_vertices_have_a_larger_mean_and_the_same_sum() -> None:
    """A Poisson distribution, far from the last bin, whose mean grows by five per cent."""
    numbers = np.arange(60)
    shares = np.exp(-15.0 + numbers * np.log(15.0) - np.cumsum(np.log(np.maximum(numbers, 1))))
    found = stretch_vertices(shares, 1.05)
    assert found.sum() == pytest.approx(shares.sum(), rel=1e-12)
    assert found @ numbers == pytest.approx(1.05 * (shares @ numbers), rel=1e-3)
    np.testing.assert_allclose(stretch_vertices(shares, 1.0), shares, atol=1e-15)
    # 2 ± 1/2, spread evenly, becomes 2.25 to 3.75: half of a bin, and three quarters of another
    wide = stretch_vertices(np.array([0.0, 0.0, 1.0, 0.0, 0.0]), 1.5)
    np.testing.assert_allclose(wide, [0.0, 0.0, 1 / 6, 2 / 3, 1 / 6], rtol=1e-12)


def test_uncertainty_of_the_vertices_is_stretched_data_over_simulation() -> None:
    data, simulation = np.array([1, 1, 2, 2]), np.array([0, 1, 2, 3])
    weights = np.full(4, 0.5)
    found = measure_vertex_weights(data, simulation, weights, 10.0, 0.2)
    # 1 ± 1/2 becomes 0.6 to 1.8, 2 ± 1/2 becomes 1.8 to 3.0: nothing is left below 0.5
    shares = np.array([0.0, 0.5 * 0.9 / 1.2, 0.5 * 0.3 / 1.2 + 0.5 * 0.7 / 1.2, 0.5 * 0.5 / 1.2])
    assert found.ratio == pytest.approx((0.0, 2.0, 2.0, 0.0))
    assert found.varied == pytest.approx(tuple(4.0 * shares))
    again = read_vertex_weights({"enabled": True, "ratio": found.ratio, "varied": found.varied})
    assert again == found
    assert read_vertex_weights({"enabled": False, "ratio": [1.0]}) is None
    columns = {"genWeight": np.ones(4, np.float32), "PV_npvs": simulation}
    weighed = weigh_events(columns, 1.0, found)
    np.testing.assert_allclose(weighed.alternatives["pileup"], 4.0 * shares, rtol=1e-6)
    np.testing.assert_allclose(weighed.nominal, [0.0, 2.0, 2.0, 0.0], rtol=1e-6)


def test_dataset_whose_weights_cancel_is_named_with_a_remedy() -> None:
    """The message once named neither the dataset nor what to do."""
    cancel = {"genWeight": np.array([1.0, -1.0], np.float32), "PV_npvs": np.array([1, 1])}
    message = (
        r"^dataset 'NLO': Σw = 0 of its 2 selected events after vertex weights; it must be "
        r"positive \(use more events, take the dataset out, or set pileup.enabled to false\)$"
    )
    with pytest.raises(TaipanError, match=message):
        weigh_events(cancel, 1.0, VertexWeights((1.0,)), "NLO")
    assert weigh_events(cancel, 1.0, None, "NLO").nominal.tolist() == [1.0, -1.0]


def test_signs_survive_from_the_file_to_the_events(tmp_path: Path) -> None:
    """NLO-like sample: the weights of the skimmed events are those of the ROOT file, signed."""
    root, events = tmp_path / f"{NLO}.root", tmp_path / "events.parquet"
    write_dataset(NLO, root, fastsim_settings(), seed=3)
    flow = skim_chunk(
        Chunk(root), ANALYSIS, skim_settings(NLO), events, tmp_path / "cutflow.json", {}
    )
    tree = uproot.open(root)["Events"]
    generated = tree["genWeight"].array(library="np").astype(np.float64)
    assert (generated < 0).mean() == pytest.approx(0.2, abs=0.03)
    assert flow.cuts[0].sumw == pytest.approx(generated.sum(), rel=1e-9)
    scale = 0.125
    normalisation = Normalisation(NLO, False, scale, len(generated), generated.sum(), 1.0)
    loaded = load_dataset([events], ANALYSIS, normalisation, None, folds=2)
    assert loaded.weights is not None
    weights = loaded.weights.nominal
    assert len(weights) == flow.cuts[-1].events
    assert weights.sum() == pytest.approx(scale * flow.cuts[-1].sumw, rel=1e-9)
    assert (weights**2).sum() == pytest.approx(scale**2 * flow.cuts[-1].sumw2, rel=1e-9)
    assert set(np.unique(weights)) == {-scale, scale}
