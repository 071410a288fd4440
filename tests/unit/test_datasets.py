"""The dataset catalogue: numbers of the shipped catalogues and what they normalise to."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from taipan.config.load import load_catalogue, load_config
from taipan.datasets import (
    Cited,
    Dataset,
    event_scale,
    mirrors_of,
    plan_chunks,
    source_folder,
    total_luminosity,
)
from taipan.errors import TaipanError

ROOT = Path(__file__).parents[2]
REAL = ["cms-2012-skims", "cms-2012-reduced"]


def load(name, **keys):
    config = load_config({"catalogue": name, **keys}, ROOT)
    return config, load_catalogue(config)


@pytest.mark.parametrize("name", REAL)
def test_luminosity_is_a_tenth_of_2012_b_and_c(name):
    config, catalogue = load(name)
    assert total_luminosity(config, catalogue) == pytest.approx(1.1467, abs=1e-12)


def test_luminosity_of_one_running_period_counts_once():
    """Two primary datasets of a period once had twice its luminosity."""
    config, catalogue = load("cms-2012-reduced", data=["Run2012B_TauPlusX", "Other"])
    first = catalogue.dataset("Run2012B_TauPlusX")
    for changes, expected in (
        ({"files": ["other.root"]}, 0.8824),
        ({"files": ["other.root"], "luminosity": None, "same_period": "Run2012B_TauPlusX"}, 0.4412),
    ):
        other = first.model_copy(update=changes)
        both = catalogue.model_copy(update={"datasets": {**catalogue.datasets, "Other": other}})
        assert total_luminosity(config, both) == pytest.approx(expected, abs=1e-12)
    alone = config.model_copy(update={"data": ["Other"]})
    assert total_luminosity(alone, both) == pytest.approx(0.4412, abs=1e-12)
    simulated = {"is_data": False, "cross_section": first.luminosity}
    for bad in ({"luminosity": first.luminosity}, simulated):
        content = {"files": ["x.root"], "is_data": True, "same_period": "B", **bad}
        with pytest.raises(ValidationError, match="`same_period` is for collision data"):
            Dataset.model_validate(content)


def test_luminosity_of_fastsim_is_that_of_the_configuration():
    config, catalogue = load("fastsim", fastsim={"luminosity": 3.5})
    assert total_luminosity(config, catalogue) == 3.5


def test_data_without_luminosity_are_named():
    config, catalogue = load("cms-2012-skims")
    entries = catalogue.datasets | {
        "Run2012C_TauPlusX": catalogue.dataset("Run2012C_TauPlusX").model_copy(
            update={"luminosity": None}
        )
    }
    incomplete = catalogue.model_copy(update={"datasets": entries})
    with pytest.raises(TaipanError, match=r"datasets.Run2012C_TauPlusX.luminosity is missing"):
        total_luminosity(config, incomplete)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize(
    ("dataset", "pb", "events"),
    [
        ("GluGluToHToTauTau", 19.6 * 0.0632, 47_696),
        ("VBF_HToTauTau", 1.55 * 0.0632, 49_165),
        ("DYJetsToLL", 3503.7, 3_045_887),
        ("TTbar", 225.2, 642_310),
        ("W1JetsToLNu", 6381.2, 2_978_480),
        ("W2JetsToLNu", 2039.8, 3_069_385),
        ("W3JetsToLNu", 612.5, 1_524_114),
    ],
)
def test_weight_of_a_simulated_event(name, dataset, pb, events):
    config, catalogue = load(name)
    entry = catalogue.dataset(dataset)
    scale = event_scale(entry, total_luminosity(config, catalogue), entry.generated_events)
    assert scale == pytest.approx(pb * 1146.7 / events, rel=1e-12)


def test_branching_ratio_is_in_the_signal_only():
    """The public `weight` branch leaves B(H→ττ) out: a signal 1 / 0.0632 = 15.8 times too large."""
    _, catalogue = load("cms-2012-skims")
    with_ratio = [name for name, d in catalogue.datasets.items() if d.branching_ratio is not None]
    assert with_ratio == ["GluGluToHToTauTau", "VBF_HToTauTau"]
    higgs = catalogue.dataset("GluGluToHToTauTau")
    assert higgs.cross_section.value / higgs.effective_cross_section == pytest.approx(15.823, 1e-4)


@pytest.mark.parametrize("name", REAL)
def test_every_number_and_file_has_its_origin(name):
    _, catalogue = load(name)
    assert catalogue.licence == "CC0-1.0"
    assert catalogue.record == 12350
    assert sorted(d.record for d in catalogue.datasets.values()) == list(range(12351, 12360))
    for dataset in catalogue.datasets.values():
        assert dataset.generated_events
        assert dataset.filter_efficiency is None
    if catalogue.kind == "skims":
        for dataset in catalogue.datasets.values():
            assert list(dataset.sha256) == dataset.files
            assert all(len(digest) == 64 for digest in dataset.sha256.values())


def test_data_events_of_the_tenth():
    _, catalogue = load("cms-2012-reduced")
    assert catalogue.dataset("Run2012B_TauPlusX").generated_events == 3_564_750
    assert catalogue.dataset("Run2012C_TauPlusX").generated_events == 5_130_317


def simulated(**keys):
    return Dataset(
        files=["a.root"], is_data=False, cross_section=Cited(value=2.0, source="test"), **keys
    )


def test_scale_multiplies_ratio_and_filter_efficiency():
    dataset = simulated(
        branching_ratio=Cited(value=0.1, source="test"),
        filter_efficiency=Cited(value=0.5, source="test"),
    )
    assert event_scale(dataset, 3.0, 600.0) == pytest.approx(2.0 * 0.1 * 0.5 * 3000.0 / 600.0)


@pytest.mark.parametrize("sumw", [0.0, -1.0, float("nan")])
def test_sum_of_weights_must_be_positive(sumw):
    with pytest.raises(TaipanError, match="must be positive"):
        event_scale(simulated(), 1.0, sumw)


def test_collision_data_have_no_cross_section():
    with pytest.raises(TaipanError, match="no cross section"):
        _ = Dataset(files=["a.root"], is_data=True).effective_cross_section
    with pytest.raises(ValidationError, match="takes no `cross_section`"):
        Dataset(files=["a"], is_data=True, cross_section=Cited(value=2.0, source="test"))
    with pytest.raises(ValidationError, match="needs `cross_section`"):
        Dataset(files=["a"], is_data=False)


def test_unknown_dataset_lists_the_known_ones():
    _, catalogue = load("cms-2012-skims")
    with pytest.raises(TaipanError, match=r"'TTBar' is not a dataset .* \(GluGlu.*, TTbar, "):
        catalogue.dataset("TTBar")


def test_source_folder():
    assert source_folder(*load("cms-2012-skims", skims="here")) == Path("here")
    assert source_folder(*load("cms-2012-reduced", files="there")) == Path("there")
    with pytest.raises(TaipanError, match="skims: catalogue 'cms-2012-skims' needs the folder"):
        source_folder(*load("cms-2012-skims"))


@given(events=st.integers(1, 10_000_000), size=st.integers(1_000, 3_000_000))
def test_chunks_cover_every_entry_once(events, size):
    chunks = plan_chunks(simulated(), events, size)
    assert chunks[0].start == 0
    assert chunks[-1].stop is None
    for before, after in itertools.pairwise(chunks):
        assert before.stop == after.start
    edges = [chunk.start for chunk in chunks] + [events]
    assert all(0 < high - low <= size for low, high in itertools.pairwise(edges))


def test_files_without_known_entries_are_a_chunk_each():
    dataset = Dataset(
        files=["a", "b"], is_data=False, cross_section=Cited(value=1.0, source="test")
    )
    assert [chunk.file for chunk in plan_chunks(dataset, 10_000, 10)] == ["a", "b"]
    assert [chunk.stop for chunk in plan_chunks(simulated(), None, 10)] == [None]


def test_complete_files_of_2012():
    """Sums of the nine records 12351 to 12359 of the CERN Open Data portal."""
    config, catalogue = load("cms-2012")
    entries = catalogue.datasets.values()
    assert total_luminosity(config, catalogue) == pytest.approx(11.467, abs=1e-12)
    assert sum(entry.generated_events for entry in entries) == 200_521_069
    assert sum(sum(entry.sizes.values()) for entry in entries) == 69_447_495_000
    assert [entry.record for entry in entries] == list(range(12351, 12360))
    assert len({entry.doi for entry in entries}) == 9
    for entry in entries:
        (file,) = entry.files
        known = entry.expected(file)
        assert known["size"] is not None
        assert len(str(known["adler32"])) == 8
    scale = event_scale(catalogue.dataset("TTbar"), 11.467, 6_423_106)
    assert scale == pytest.approx(225.2 * 11_467 / 6_423_106, rel=1e-12)


def test_reduced_files_are_a_tenth_of_the_complete_ones():
    """Their luminosity is that of the complete data times their share of the events."""
    complete, reduced = load("cms-2012")[1], load("cms-2012-reduced")[1]
    assert list(complete.datasets) == list(reduced.datasets)
    for name, whole in complete.datasets.items():
        part = reduced.dataset(name)
        assert part.generated_events == whole.generated_events // 10
        assert (part.record, part.cross_section) == (whole.record, whole.cross_section)
        if whole.luminosity is not None:
            share = part.generated_events / whole.generated_events
            assert part.luminosity.value == pytest.approx(whole.luminosity.value * share, rel=1e-6)


def test_mirrors_of_the_configuration_replace_those_of_the_catalogue():
    config, catalogue = load("cms-2012")
    assert [url.split(":")[0] for url in mirrors_of(config, catalogue)] == ["root", "https"]
    config, catalogue = load("cms-2012", remote={"mirrors": ["http://127.0.0.1/a"]})
    assert mirrors_of(config, catalogue) == ["http://127.0.0.1/a"]


@pytest.mark.parametrize("mirror", ["ftp://example.org/a", "/data", "https://", "root:// x"])
def test_mirror_that_is_no_url(mirror):
    with pytest.raises(TaipanError, match=r"remote.mirrors\[0\]: .*URL \(http, https, root\)"):
        load("cms-2012", remote={"mirrors": [mirror]})


def test_checksum_of_a_file_that_is_not_listed():
    cited = {"value": 1.0, "source": "test"}
    content = {"files": ["a.root"], "is_data": False, "cross_section": cited}
    with pytest.raises(ValidationError, match="`adler32` names b.root, which is not in `files`"):
        Dataset(**content, adler32={"b.root": "01234567"})
    with pytest.raises(ValidationError, match="adler32"):
        Dataset(**content, adler32={"a.root": "xyz"})


@pytest.mark.parametrize(
    "file", ["../a.root", "/etc/a.root", "a/../../b.root", "a b.root", "", "."]
)
def test_file_that_leaves_its_folder_is_refused(file: str) -> None:
    """Fetched files are written under their names of the catalogue."""
    with pytest.raises(ValueError, match="is not a path below the folder"):
        Dataset(files=[file], is_data=True)
    assert Dataset(files=["2012/B-1.root"], is_data=True).files == ["2012/B-1.root"]
