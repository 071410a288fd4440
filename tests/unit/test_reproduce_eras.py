"""Bundles of runs of several data-taking periods."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from taipan.atomic import read_json, write_json, write_text
from taipan.checksums import file_digest, record_files
from taipan.config.eras import read_eras
from taipan.config.load import load_catalogue, read_config
from taipan.config.merging import find_difference, merge
from taipan.config.slices import hash_catalogue, hash_config
from taipan.errors import TaipanError
from taipan.reproduce import read_bundle
from taipan.reproduce.bundle import write_eras
from taipan.reproduce.command import prepare_folder
from taipan.summary.collect import hash_result

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config/examples/eras.yaml"
ERAS = ("2015", "2016")
PACKAGES = {"numpy": "2"}
OF_ERA = {
    "workspaces/m_mumu.json": [],
    "fit/m_mumu.json": ["workspaces/m_mumu.json"],
    "workspace.json": ["workspaces/m_mumu.json"],
    "yields.csv": ["workspaces/m_mumu.json"],
    "summary.json": ["fit/m_mumu.json", "yields.csv"],
}
INPUTS = {
    **{
        f"eras/{era}/zmumu/{name}": [f"eras/{era}/zmumu/{source}" for source in sources]
        for era in ERAS
        for name, sources in OF_ERA.items()
    },
    "workspaces/m_mumu.json": [f"eras/{era}/zmumu/workspaces/m_mumu.json" for era in ERAS],
    "fit/m_mumu.json": ["workspaces/m_mumu.json"],
    "summary.json": ["fit/m_mumu.json"],
}
"""File → those it is made from, in the order in which they are made."""


def make_results(folder: Path, *overlays: Path) -> Path:
    """Results of a run of the example, made up."""
    configs = read_eras([EXAMPLE, *overlays], ROOT)
    hashes = {
        "config": {era: hash_config(one) for era, one in configs.items()},
        "catalogue": {era: hash_catalogue(load_catalogue(one)) for era, one in configs.items()},
    }
    for era in ERAS:
        place = folder / "eras" / era / "zmumu"
        write_json(place / "workspaces/m_mumu.json", {"channels": [era]})
        write_json(place / "fit/m_mumu.json", {"mu_hat": float(era)})
        write_json(place / "workspace.json", {"channels": [era]})
        write_text(place / "yields.csv", f"region,process,yield,stat\nsr,ZMM,{era},0.1\n")
        own = {kind: found[era] for kind, found in hashes.items()}
        write_summary(place, {**own, "code": "c0de"})
    write_json(folder / "workspaces/m_mumu.json", {"channels": list(ERAS)})
    write_json(folder / "fit/m_mumu.json", {"mu_hat": 1.0})
    write_summary(folder, {**hashes, "code": "c0de"})
    for name in INPUTS:
        record(folder, name)
    return folder


def write_summary(place: Path, provenance: dict[str, Any]) -> None:
    content = {"provenance": {**provenance, "packages": PACKAGES}, "expected": {"mu_hat": 1.0}}
    write_json(place / "summary.json", {**content, "result_sha256": hash_result(content)})


def record(folder: Path, name: str) -> None:
    """Record a file as the job that made it does."""
    inputs = {f"results/zmumu/{source}": file_digest(folder / source) for source in INPUTS[name]}
    parts = Path(name).parts
    era = f"{parts[1]}_" if parts[0] == "eras" else ""
    origin = {
        "rule": f"{era}{Path(name).stem}{parts[-2] if len(parts) > 1 else ''}", "wildcards": {},
        "parameters": "0", "code": "c0de", "inputs": inputs, "packages": PACKAGES,
    }  # fmt: skip
    record_files([folder / name], origin)


def write(results: Path, path: Path, *overlays: Path) -> dict[str, Any]:
    files = [EXAMPLE, *overlays]
    configs = read_eras(files, ROOT)
    periods = {era: (one, load_catalogue(one)) for era, one in configs.items()}
    return write_eras(path, read_config(files, ROOT), periods, results, ROOT)


def test_bundle_gives_every_era_its_configuration(tmp_path: Path) -> None:
    results = make_results(tmp_path / "results/zmumu")
    about = write(results, tmp_path / "b.zip")
    content = read_bundle(tmp_path / "b.zip")
    assert set(content.results) == set(INPUTS)
    assert about["eras"] == list(ERAS)
    assert set(about["summaries"]) == {f"eras/{era}/zmumu/summary.json" for era in ERAS}
    assert set(about["sha256"]) | {*about["summaries"], "summary.json"} == set(INPUTS)
    folder = tmp_path / "new"
    prepare_folder(content, folder, ROOT)
    before, again = read_eras([EXAMPLE], ROOT), read_eras([], folder)
    assert {era: hash_config(one) for era, one in again.items()} == {
        era: hash_config(one) for era, one in before.items()
    }
    assert [one.seed for one in again.values()] == [one.seed for one in before.values()]
    assert [one.results for one in again.values()] == [f"results/zmumu/eras/{era}" for era in ERAS]
    keys = yaml.safe_load((folder / "config/config.yaml").read_text(encoding="utf-8"))["eras"]
    assert set(keys["2015"]) == {"seed", "fastsim", "systematics"}  # nothing that is common


def test_eras_with_other_entries_files_and_catalogue_come_back(tmp_path: Path) -> None:
    """An entry of one era alone, one that it lacks, and a file in the folder of the analysis."""
    overlay = tmp_path / "o.yaml"
    overlay.write_text(
        "eras:\n"
        "  '2015': {systematics: {pileup: null, extra: {kind: rate, size: 0.1, samples: [TT], "
        "source: a test}}}\n"
        "  '2016': {control_plots: {npv: null}}\n"
    )
    results = make_results(tmp_path / "results/zmumu", overlay)
    write(results, tmp_path / "b.zip", overlay)
    prepare_folder(read_bundle(tmp_path / "b.zip"), tmp_path / "new", ROOT)
    again = read_eras([], tmp_path / "new")
    assert "pileup" not in again["2015"].systematics
    assert "extra" in again["2015"].systematics
    assert "pileup" in again["2016"].systematics
    assert "npv" not in again["2016"].control_plots


@pytest.mark.parametrize("name", ["eras/2015/zmumu/fit/m_mumu.json", "fit/m_mumu.json",
                                  "eras/2016/zmumu/summary.json"])  # fmt: skip
def test_damaged_part_is_named(tmp_path: Path, name: str) -> None:
    """In the results, before a bundle is written; and in a bundle, when it is read."""
    results = make_results(tmp_path / "results/zmumu")
    write(results, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        entries = {item: archive.read(item) for item in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for item, content in entries.items():
            is_bad = item == f"results/{name}"
            archive.writestr(item, content.replace(b"mu_hat", b"mu_hut") if is_bad else content)
    with pytest.raises(TaipanError, match=re.escape(f"bad.zip: results/{name} was changed")):
        read_bundle(tmp_path / "bad.zip")
    text = (results / name).read_text(encoding="utf-8")
    (results / name).write_text(text.replace("mu_hat", "mu_hut"), encoding="utf-8")
    with pytest.raises(TaipanError, match=re.escape(str(results / name))):
        write(results, tmp_path / "again.zip")


def test_run_with_another_era_is_not_bundled(tmp_path: Path) -> None:
    results = make_results(tmp_path / "results/zmumu")
    overlay = tmp_path / "o.yaml"
    overlay.write_text("eras: {'2016': {fastsim: {luminosity: 0.06}}}")
    with pytest.raises(TaipanError, match=r"2016/zmumu/summary.json was made with configuration"):
        write(results, tmp_path / "b.zip", overlay)
    overlay.write_text("eras: {'2017': {}}")
    with pytest.raises(TaipanError, match=r"was not made with era 2017 \(2015, 2016\)"):
        write(results, tmp_path / "b.zip", overlay)
    name = "eras/2016/zmumu/fit/m_mumu.json"
    (results / name).unlink()
    with pytest.raises(TaipanError, match="2016/zmumu/fit/m_mumu.json"):
        write(results, tmp_path / "b.zip")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"skim": {"executor": "dask"}}, r"eras.2016.skim.executor: 'dask' is not allowed"),
        ({"files": "/etc"}, r"eras.2016.files: '/etc' is outside the folder of the run"),
        ({"results": "/etc"}, r"eras.2016.results: is common to all eras"),
        ({"analysis": "/etc/"}, r"eras.2016.analysis: is common to all eras"),
    ],
)
def test_era_of_a_bundle_does_not_decide_what_only_the_user_may(
    tmp_path: Path, keys: dict[str, Any], message: str
) -> None:
    results = make_results(tmp_path / "results/zmumu")
    write(results, tmp_path / "b.zip")
    content = read_bundle(tmp_path / "b.zip")
    run = yaml.safe_load(content.project["config/config.yaml"])
    run["eras"]["2016"] |= keys
    run["remote"]["access"] = "fetch"
    content.project["config/config.yaml"] = yaml.safe_dump(run).encode()
    given = {"files": "/mine", "skim": {"executor": "local"}}
    with pytest.raises(TaipanError, match=message):
        prepare_folder(content, tmp_path / "new", ROOT, given)
    assert not (tmp_path / "new").exists()


def test_bundle_says_of_what_type_its_eras_are(tmp_path: Path) -> None:
    write(make_results(tmp_path / "results/zmumu"), tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        entries = {item: archive.read(item) for item in archive.namelist()}
    about = json.loads(entries["bundle.json"])
    entries["bundle.json"] = json.dumps({**about, "summaries": ["x"]}).encode()
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for item, content in entries.items():
            archive.writestr(item, content)
    with pytest.raises(TaipanError, match="summaries is missing or of another type"):
        read_bundle(tmp_path / "bad.zip")


def test_difference_is_what_gives_the_other_when_it_is_merged() -> None:
    base = {"a": 1, "b": {"x": 1, "y": [1, 2]}, "c": None, "d": {"z": 1}}
    wanted = {"a": 1, "b": {"x": 2, "y": [1, 2], "w": {}}, "c": {"k": 1}, "d": 3}
    found = find_difference(base, wanted)
    assert found == {"b": {"x": 2, "w": {}}, "c": {"k": 1}, "d": 3}
    assert merge(base, found) == wanted
    assert find_difference(base, {"a": 1}) == {"b": None, "c": None, "d": None}
    estimate = {"estimate": {"method": "abcd", "regions": 1}}
    other = {"estimate": {"method": "same_sign", "factor": 2}}
    assert merge(estimate, find_difference(estimate, other)) == other


def test_summary_of_a_run_with_eras_can_be_verified(tmp_path: Path) -> None:
    """The hash of the result is that of its content, as in every summary."""
    results = make_results(tmp_path / "results/zmumu")
    summary = read_json(results / "summary.json")
    write_json(results / "summary.json", {**summary, "result_sha256": "0"})
    record(results, "summary.json")
    with pytest.raises(TaipanError, match="result_sha256 is 0"):
        write(results, tmp_path / "b.zip")
