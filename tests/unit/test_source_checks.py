"""Checks of the files that are read, of the folders and of the results."""

from __future__ import annotations

import dataclasses
import os

import pytest

from taipan.config.load import merge
from taipan.errors import TaipanError
from tests.toy_configuration import ANALYSIS, CATALOGUE, CITED, check, problems


def test_fastsim_has_all_its_data():
    second = {"files": ["d2.root"], "is_data": True, "luminosity": CITED}
    assert problems(None, catalogue={"datasets": {"Data2": second}}) == [
        "data: 'Data2' is missing; fastsim.luminosity is that of all its data (Data, Data2)"
    ]


def test_no_events_to_simulate():
    lines = problems(None, catalogue={"datasets": {"H": {"generated_events": None}}})
    assert lines == [
        "samples.S.datasets[0]: 'H' has no generated_events in catalogue 'toys', so it cannot be "
        "normalised"
    ]
    check(
        {"fastsim": {"events": {"H": 5}}},
        catalogue={"datasets": {"H": {"generated_events": None}}},
    )


def test_alternative_without_events_to_simulate():
    lines = problems(None, catalogue={"datasets": {"Z2": {"generated_events": None}}})
    assert lines == [
        "systematics.nlo.datasets[0]: 'Z2' has no generated_events in catalogue 'toys', so it "
        "cannot be normalised"
    ]


SKIMS = {"kind": "skims"}
FLAT = dataclasses.replace(ANALYSIS, flat=lambda arrays, is_data: None)


@pytest.fixture
def skims(tmp_path):
    folder = tmp_path / "skims"
    folder.mkdir()
    for dataset in CATALOGUE["datasets"].values():
        (folder / dataset["files"][0]).touch()
    return folder


def test_skims_pass(skims, tmp_path):
    change = {"skims": str(skims), "results": str(tmp_path / "results")}
    check(change, catalogue=SKIMS, analysis=FLAT)


def test_flat_ntuples_have_no_luminosity_blocks(skims, tmp_path):
    mask = tmp_path / "mask.json"
    mask.write_text("{}")
    change = {"skims": str(skims), "skim": {"lumi_mask": str(mask)}}
    (line,) = problems(change, catalogue=SKIMS, analysis=FLAT, tmp_path=tmp_path / "results")
    assert line == (
        f"skim.lumi_mask: '{mask}': flat ntuples have no luminosity blocks; set it to null"
    )


SAME_FILE = "its events would count twice (list each file once)"


def test_file_listed_twice_is_refused_under_any_name(skims):
    """Events of such a file once counted twice."""
    (skims / "link.root").symlink_to(skims / "d.root")
    (skims / "hard.root").hardlink_to(skims / "z.root")
    for dataset, second, found in (
        ("Data", "d.root", "is listed twice"),
        ("Data", "link.root", "is the same file as 'd.root'"),
        ("Z", "hard.root", "is the same file as 'z.root'"),
        ("Z", "h.root", "is a file of dataset 'H', too"),
    ):
        own = CATALOGUE["datasets"][dataset]["files"]
        content = merge(SKIMS, {"datasets": {dataset: {"files": [*own, second]}}})
        line = f"datasets.{dataset}.files[1]: '{second}' in catalogue 'toys' {found}; {SAME_FILE}"
        assert line in problems({"skims": str(skims)}, catalogue=content, analysis=FLAT)
    # an alternative replaces the sample's own dataset, so it may have its file
    content = merge(SKIMS, {"datasets": {"Z2": {"files": ["z.root"]}}})
    check({"skims": str(skims)}, catalogue=content, analysis=FLAT)


def test_file_of_two_datasets_of_data_is_refused(skims):
    both = {**CATALOGUE["datasets"]["Data"], "files": ["d.root"]}
    content = merge(SKIMS, {"datasets": {"Data2": both}})
    (line,) = problems(
        {"skims": str(skims), "data": ["Data", "Data2"]}, catalogue=content, analysis=FLAT
    )
    assert line == (
        "datasets.Data2.files[0]: 'd.root' in catalogue 'toys' is a file of dataset 'Data', too; "
        + SAME_FILE
    )


def test_running_period_must_be_that_of_data_with_a_luminosity(skims):
    own = {"files": ["link.root"], "is_data": True, "generated_events": 100, "same_period": "Data"}
    (skims / "link.root").touch()
    change = {"skims": str(skims), "data": ["Data", "Other"]}
    content = merge(SKIMS, {"datasets": {"Other": own}})
    check(change, catalogue=content, analysis=FLAT)
    for period in ("Other", "Z", "nothing"):
        bad = merge(content, {"datasets": {"Other": {"same_period": period}}})
        (line,) = problems(change, catalogue=bad, analysis=FLAT)
        assert line.startswith(
            f"datasets.Other.same_period: '{period}' is not a dataset of collision data with a "
            "luminosity"
        )


def test_remote_file_listed_twice_is_refused():
    files = {"files": ["z.root", "z.root"], "entries": {"z.root": 100}}
    catalogue = {
        "kind": "nanoaod",
        "mirrors": ["https://example.org/data/"],
        "datasets": {"Z": files},
    }
    lines = problems({"remote": {"access": "stream"}}, catalogue=catalogue)
    assert [line for line in lines if "is listed twice" in line] == [
        f"datasets.Z.files[1]: 'z.root' in catalogue 'toys' is listed twice; {SAME_FILE}"
    ]


def test_folder_of_the_files_is_needed():
    text = "; catalogue 'toys' of kind {} needs the folder of its files"
    (line,) = problems(None, catalogue=SKIMS, analysis=FLAT)
    assert line == "skims: missing" + text.format("skims")
    (line,) = problems(None, catalogue={"kind": "nanoaod"})
    assert line == "files: missing" + text.format("nanoaod")


def test_folder_that_is_not_there():
    (line,) = problems({"skims": "nowhere/at/all"}, catalogue=SKIMS, analysis=FLAT)
    assert line.startswith("skims: 'nowhere/at/all' is not a folder (seen from /")


def test_file_that_is_not_there(skims, tmp_path):
    (skims / "h.root").unlink()
    (line,) = problems({"skims": str(skims)}, catalogue=SKIMS, analysis=FLAT, tmp_path=tmp_path)
    assert line == f"skims: '{skims}' has no file h.root (dataset H)"


def test_file_of_an_alternative_dataset_that_is_not_there(skims, tmp_path):
    """Only the data and the samples were looked at."""
    (skims / "z2.root").unlink()
    (line,) = problems({"skims": str(skims)}, catalogue=SKIMS, analysis=FLAT, tmp_path=tmp_path)
    assert line == f"skims: '{skims}' has no file z2.root (dataset Z2)"


NANOAOD = {"kind": "nanoaod"}
MIRROR = "https://example.org/files"


def test_remote_folder_belongs_to_the_mirrors():
    (line,) = problems({"files": MIRROR}, catalogue=NANOAOD)
    assert line == f"files: '{MIRROR}' is not a folder; remote.mirrors takes base URLs"


def test_remote_files_are_not_looked_at(tmp_path):
    stream = {"remote": {"access": "stream", "mirrors": [MIRROR]}}
    check(stream, catalogue=NANOAOD)
    fetch = {"access": "fetch", "mirrors": [MIRROR]}
    check({"remote": fetch, "files": str(tmp_path / "later")}, catalogue=NANOAOD)
    (line,) = problems({"remote": fetch}, catalogue=NANOAOD)
    assert line.startswith("files: missing; catalogue 'toys'")
    (tmp_path / "file").touch()
    (line,) = problems({"remote": fetch, "files": str(tmp_path / "file")}, catalogue=NANOAOD)
    assert line.startswith(f"files: '{tmp_path / 'file'}' is not a folder")


def test_remote_access_needs_a_mirror():
    (line,) = problems({"remote": {"access": "stream"}}, catalogue=NANOAOD)
    assert line == (
        "remote.mirrors: missing; catalogue 'toys' names none, so remote.access 'stream' needs "
        "base URLs (http, https, root)"
    )


def test_fastsim_is_not_remote():
    (line,) = problems({"remote": {"access": "fetch", "mirrors": [MIRROR]}})
    assert line == "remote.access: 'fetch': a simulation is made on the spot (local)"


def test_alternative_dataset_of_unknown_length_is_no_single_job():
    """It was planned as one chunk, however long its file."""
    stream = {"remote": {"access": "stream", "mirrors": [MIRROR]}}
    check(stream, catalogue=NANOAOD)
    unknown = {**NANOAOD, "datasets": {"Z2": {"generated_events": None}}}
    (line,) = problems(stream, catalogue=unknown)
    assert line.startswith("datasets.Z2.entries: missing in catalogue 'toys'; a mapping of each")


def test_skipping_needs_countable_events():
    skip = {"skim": {"on_bad_file": "skip"}, "remote": {"access": "stream", "mirrors": [MIRROR]}}
    (line,) = problems({"skim": {"on_bad_file": "skip"}})
    assert line == (
        "skim.on_bad_file: 'skip' is for catalogues of kind nanoaod; 'toys' is of kind simulation "
        "(fail)"
    )
    check(skip, catalogue=NANOAOD)
    unknown = {**NANOAOD, "datasets": {"Data": {"generated_events": None}}}
    found = problems(skip, catalogue=unknown)
    (line,) = [line for line in found if line.startswith("skim.")]
    assert line == (
        "skim.on_bad_file: 'skip' needs generated_events of dataset 'Data' in catalogue 'toys', "
        "to tell how much is lost (fail)"
    )


def test_module_without_a_reader_of_flat_ntuples(skims):
    (line,) = problems({"skims": str(skims)}, catalogue=SKIMS)
    assert line == "catalogue: analysis 'toy' cannot read flat ntuples (kind skims)"


def test_data_without_luminosity(skims):
    change = {"kind": "skims", "datasets": {"Data": {"luminosity": None}}}
    (line,) = problems({"skims": str(skims)}, catalogue=change, analysis=FLAT)
    assert line == "data[0]: 'Data' has no luminosity in catalogue 'toys'"


@pytest.mark.parametrize("inside", ["", "out", "out/deeper", "../skims"])
def test_results_inside_the_input(skims, inside):
    results = str(skims / inside)
    change = {"skims": str(skims), "results": results}
    (line,) = problems(change, catalogue=SKIMS, analysis=FLAT)
    assert line == (f"results: '{results}' is inside the folder of the input (skims: '{skims}')")


def test_results_below_a_file(tmp_path):
    (tmp_path / "file").touch()
    results = str(tmp_path / "file" / "results")
    (line,) = problems({"results": results})
    assert line == f"results: '{results}' cannot be written: {tmp_path / 'file'} is a file"


def test_results_in_a_folder_without_permission(tmp_path, monkeypatch):
    """The permission is denied by patching: the tests may run as a user who may write anywhere."""
    monkeypatch.setattr("taipan.checks.configuration.os.access", lambda path, mode: False)
    results = str(tmp_path / "results")
    (line,) = problems({"results": results})
    assert line == f"results: '{results}' cannot be written: {tmp_path} is not writable"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a/{x}", "'a/{x}'"),
        ("a b", "'a b'"),
        ("a\tb", r"'a\tb'"),
        ("a\n.. raw:: html", r"'a\n.. raw:: html'"),
        ("a\x1b[2J", r"'a\x1b[2J'"),
        ("<img src=x>", "'<img src=x>'"),
        ("-results", "'-results'"),
        ("a*", "'a*'"),
        ('a"b', "'a\"b'"),
    ],
)
def test_results_have_a_name_that_rules_and_reports_can_hold(name, shown):
    """`{x}` was a wildcard without a value, and markup was run by a report."""
    (line,) = problems({"results": name})
    assert line == (
        f"results: {shown} is not allowed (letters, digits and / . _ - + , = @ : ~; no space, and "
        "no - at the beginning)"
    )


def test_names_that_results_may_have(tmp_path):
    for name in ("results/run-2_a+b,c=1@x:y.z", "Ergebnisse/Übung", str(tmp_path)):
        check({"results": name})


def test_name_of_results_that_no_file_system_holds():
    (line,) = problems({"results": f"results/{'a' * 256}"})
    assert line.startswith("results: 'results/aaa")
    assert line.endswith("… is too long (names of 255 bytes)")


def test_input_that_the_system_does_not_let_us_see(tmp_path, monkeypatch):
    """`pathlib` raises where it may not look, or the name is too long: a traceback."""
    (line,) = problems({"skims": "a" * 300}, catalogue=SKIMS, analysis=FLAT)
    assert line.startswith("skims: 'aaa")
    assert "is not a folder (seen from" in line
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    (line,) = problems({"skims": str(loop)}, catalogue=SKIMS, analysis=FLAT)
    assert line.startswith(f"skims: '{loop}' is not a folder")
    (line,) = problems({"skim": {"lumi_mask": "b" * 300}})
    assert "is not a file (seen from" in line


def test_dry_run_needs_no_permission_to_write(tmp_path, monkeypatch):
    """Permissions are those of a patch: the tests may run as a user who may do anything."""
    results = {"results": str(tmp_path / "results")}
    monkeypatch.setattr(
        "taipan.checks.configuration.os.access", lambda path, mode: not mode & os.W_OK
    )
    check(results, writes=False)
    (line,) = problems(results)
    assert line.endswith(f"cannot be written: {tmp_path} is not writable")
    monkeypatch.setattr("taipan.checks.configuration.os.access", lambda path, mode: False)
    with pytest.raises(TaipanError, match=f"cannot be read: {tmp_path} is not readable"):
        check(results, writes=False)


def test_message_says_where_the_files_come_from():
    catalogue = {**SKIMS, "record": 12350}
    (line,) = problems(None, catalogue=catalogue, analysis=FLAT)
    number = sum(len(dataset["files"]) for dataset in CATALOGUE["datasets"].values())
    assert line == (
        "skims: missing; catalogue 'toys' of kind skims needs the folder of its files; "
        f"datasets/toys.yaml says where its {number} files come from (record 12350 of the "
        "CERN Open Data portal)"
    )
