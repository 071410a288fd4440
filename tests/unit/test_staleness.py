"""Whether a job must run again follows from its records and the content of its files alone."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from taipan import checksums, staleness
from taipan.atomic import write_json
from taipan.checksums import files_read, identify_file, read_record, record_path
from taipan.errors import TaipanError
from taipan.scripting import run_call
from taipan.staleness import FileDigests, PlannedJob, judge_job

LONG_AGO = 1_500_000_000_000_000_000
NOTHING = staleness.Judgement()


class Namedlist(list[str]):
    """Stands in for Snakemake's lists with names."""

    def __init__(self, **named: Any) -> None:
        super().__init__(named.values())
        self.items = named.items


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlannedJob:
    """A job that has run, with two inputs of the same name and two outputs."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"a/x.json": "1", "b/x.json": "2"}.items():
        Path(name).parent.mkdir()
        Path(name).write_text(text, encoding="utf-8")
    done = PlannedJob(
        "skim",
        {"dataset": "TTbar"},
        {"config": {"cut": 20.0}, "code": "0123456789abcdef"},
        ["a/x.json", "b/x.json"],
        ["out/events.txt", "out/cutflow.json"],
    )
    run(done, monkeypatch)
    assert judge_job(done, FileDigests()) == NOTHING
    return done


def run(job: PlannedJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the job as Snakemake does."""
    given = SimpleNamespace(
        rule=job.rule,
        wildcards=Namedlist(**job.wildcards),
        params=Namedlist(**job.parameters),
        input=list(job.inputs),
        output=list(job.outputs),
    )
    monkeypatch.setattr(sys.modules["__main__"], "snakemake", given, raising=False)
    run_call("make", lambda: make(job.inputs, job.outputs))


def make(inputs: list[str], outputs: list[str]) -> None:
    text = " ".join(Path(path).read_text(encoding="utf-8") for path in inputs)
    for path in outputs:
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rule": "skim_all"}, "out/events.txt was made by another rule"),
        ({"wildcards": {"dataset": "W"}}, "out/events.txt was made by another rule"),
        ({"parameters": {"config": {"cut": 25.0}, "code": "0123456789abcdef"}},
         "the parameters have changed"),
        ({"parameters": {"config": {"cut": 20.0}, "code": "fedcba9876543210"}},
         "the code has changed"),
        ({"parameters": {"config": {"cut": 20.0}}}, "the code has changed"),
        ({"inputs": ["a/x.json"]}, "the inputs have changed"),
        ({"inputs": ["b/x.json", "a/x.json"]}, "the inputs have changed"),
        ({"outputs": ["out/events.txt", "out/third.json"]},
         "there is no record of what out/third.json was made from"),
    ],
)  # fmt: skip
def test_change_is_the_reason(job: PlannedJob, change: dict[str, Any], reason: str) -> None:
    Path("out/third.json").touch()
    assert judge_job(replace(job, **change), FileDigests()).reason == reason


@pytest.mark.parametrize("moment", [LONG_AGO, 2 * LONG_AGO])
def test_dates_do_not_count(job: PlannedJob, moment: int) -> None:
    for path in (*job.inputs, *job.outputs):
        os.utime(path, ns=(moment, moment))
    assert judge_job(job, FileDigests()) == NOTHING


def test_input_with_another_content_and_an_older_date_is_named(job: PlannedJob) -> None:
    Path("b/x.json").write_text("3", encoding="utf-8")
    os.utime("b/x.json", ns=(LONG_AGO, LONG_AGO))
    found = judge_job(job, FileDigests())
    assert (found.reason, found.inputs) == ("the inputs have changed", ("b/x.json",))


def test_inputs_that_changed_places_are_noticed(job: PlannedJob) -> None:
    """Both contents were there before, under the same name in another folder."""
    Path("a/x.json").write_text("2", encoding="utf-8")
    Path("b/x.json").write_text("1", encoding="utf-8")
    assert judge_job(job, FileDigests()).reason == "the inputs have changed"


def test_data_in_another_folder_are_the_same_data(job: PlannedJob) -> None:
    Path("b").rename("moved")
    moved = replace(job, inputs=["a/x.json", "moved/x.json"])
    assert judge_job(moved, FileDigests()) == NOTHING


@pytest.mark.parametrize("content", ["{}", '{"origin": null}', '{"origin": {"inputs": 1}}'])
def test_record_without_origin_is_no_record(job: PlannedJob, content: str) -> None:
    path = record_path("out/cutflow.json")
    known = {"sha256": "0" * 64, "bytes": 3}
    write_json(path, {**known, **json.loads(content)})
    assert judge_job(job, FileDigests()).reason == "out/cutflow.json was made by another rule"


def test_unreadable_record_is_named(job: PlannedJob) -> None:
    record_path("out/cutflow.json").write_text("{", encoding="utf-8")
    found = judge_job(job, FileDigests()).reason
    assert found.startswith("the record of out/cutflow.json cannot be read")
    assert "cutflow.json.json is not valid JSON" in found


def test_intermediate_file_that_was_deleted_re_runs_nothing(job: PlannedJob) -> None:
    """By hand, to save space; if a job needs it, Snakemake makes it again."""
    Path("out/events.txt").unlink()
    assert judge_job(job, FileDigests()) == NOTHING
    changed = replace(job, parameters={"config": {"cut": 25.0}, "code": "0123456789abcdef"})
    assert judge_job(changed, FileDigests()).reason == "the parameters have changed"
    shutil.rmtree("out")
    assert judge_job(job, FileDigests()).reason == (
        "there is no record of what out/events.txt was made from"
    )


@pytest.mark.parametrize("record", ["kept", "deleted"])
def test_reader_of_a_file_that_was_deleted_re_runs_nothing(
    job: PlannedJob, record: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = replace(job, rule="fit", inputs=job.outputs, outputs=["fit/fit.json"])
    run(reader, monkeypatch)
    Path("out/events.txt").unlink()
    if record == "deleted":
        record_path("out/events.txt").unlink()
    assert judge_job(reader, FileDigests()) == NOTHING


def test_damaged_outputs_are_named_unless_they_are_made_anyway(job: PlannedJob) -> None:
    Path("out/events.txt").write_text("1 3", encoding="utf-8")
    Path("out/cutflow.json").write_text("1 2 3", encoding="utf-8")
    found = judge_job(job, FileDigests())
    assert found.reason == ""
    assert found.damaged == (
        "out/events.txt is damaged: its content is not what was written (SHA-256 differs); delete "
        "it and run again to make it anew",
        "out/cutflow.json is damaged: it has 5 bytes, 3 were written; delete it and run again to "
        "make it anew",
    )
    other = replace(job, parameters={"code": "0"})
    assert judge_job(other, FileDigests()).damaged == ()


def test_killed_job_leaves_no_record_of_another_file(
    job: PlannedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records of the run before were still there, and the new file did not match them."""

    def dies(inputs: list[str], outputs: list[str]) -> None:
        Path(outputs[0]).write_text("half", encoding="utf-8")
        raise TaipanError("killed")

    monkeypatch.setattr(sys.modules[__name__], "make", dies)
    with pytest.raises(SystemExit):
        run(job, monkeypatch)
    assert judge_job(job, FileDigests()).reason == (
        "there is no record of what out/events.txt was made from"
    )


def test_parameters_are_recorded_as_they_were_given(
    job: PlannedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drawing of pseudo-data takes a section out of its configuration, and ran every time."""

    def takes(inputs: list[str], outputs: list[str]) -> None:
        job.parameters["config"].pop("cut")
        Path(outputs[0]).write_text("1", encoding="utf-8")
        Path(outputs[1]).write_text("2", encoding="utf-8")

    monkeypatch.setattr(sys.modules[__name__], "make", takes)
    run(job, monkeypatch)
    given = {"config": {"cut": 20.0}, "code": "0123456789abcdef"}
    assert judge_job(replace(job, parameters=given), FileDigests()) == NOTHING


def test_inputs_are_recorded_wherever_they_come_from(job: PlannedJob) -> None:
    """Files of the user had no digest in the record."""
    one = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"  # of "1"
    two = "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35"  # of "2"
    recorded = read_record("out/events.txt")["origin"]["inputs"]
    assert recorded == {"a/x.json": one, "b/x.json": two}


def test_download_counts_with_its_receipt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file behind a receipt could be replaced unseen."""
    monkeypatch.chdir(tmp_path)
    for name in ("x.root", "x.root.verified.json"):
        Path(name).write_text("1", encoding="utf-8")
    job = PlannedJob("skim", {}, {"code": "0"}, ["x.root.verified.json"], ["out/events.txt"])
    run(job, monkeypatch)
    assert judge_job(job, FileDigests()) == NOTHING
    Path("x.root").write_text("2", encoding="utf-8")
    assert judge_job(job, FileDigests()).reason == "the inputs have changed"
    assert files_read(["x.root.verified.json"]) == ["x.root.verified.json", "x.root"]


def test_download_that_was_deleted_to_save_space_re_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x.root", "x.root.verified.json"):
        Path(name).write_text("1", encoding="utf-8")
    job = PlannedJob("skim", {}, {"code": "0"}, ["x.root.verified.json"], ["out/events.txt"])
    run(job, monkeypatch)
    Path("x.root").unlink()
    assert judge_job(job, FileDigests()) == NOTHING


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose content is read to find a digest."""
    found: list[str] = []

    def counting(function: Callable[[Path], str]) -> Callable[[Path], str]:
        def count(path: Path) -> str:
            found.append(Path(path).name)
            return function(path)

        return count

    monkeypatch.setattr(staleness, "file_digest", counting(staleness.file_digest))
    monkeypatch.setattr(staleness, "identify_file", counting(staleness.identify_file))
    return found


class TestFileDigests:
    """What is remembered of files is never older than they are."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "x.root"
        path.write_bytes(b"1" * 1000)
        return path

    @pytest.fixture(autouse=True)
    def settled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(staleness, "_SETTLED", -1)

    def look(self, file: Path) -> str:
        digests = FileDigests(file.parent / "digests.json")
        found = digests.digest(file)
        digests.save()
        return found

    def test_file_is_read_once(self, file: Path, reads: list[str]) -> None:
        assert self.look(file) == self.look(file) == checksums.file_digest(file)
        assert reads == ["x.root"]

    def test_touched_file_is_read_again_and_the_same(self, file: Path, reads: list[str]) -> None:
        before = self.look(file)
        os.utime(file, ns=(LONG_AGO, LONG_AGO))
        assert self.look(file) == before
        assert len(reads) == 2

    def test_file_replaced_by_one_of_the_same_size_and_date_is_noticed(self, file: Path) -> None:
        os.utime(file, ns=(LONG_AGO, LONG_AGO))
        before = self.look(file)
        file.write_bytes(b"2" * 1000)
        os.utime(file, ns=(LONG_AGO, LONG_AGO))
        assert self.look(file) != before

    def test_file_of_this_moment_is_not_remembered(
        self, file: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may change again within one tick of the clock of the file system."""
        monkeypatch.setattr(staleness, "_SETTLED", 10**18)
        self.look(file)
        self.look(file)
        assert len(reads) == 2

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"sha256:x": 1}', '{"a": [1, 2]}'])
    def test_store_that_cannot_be_read_is_made_anew(self, file: Path, content: str) -> None:
        store = file.parent / "digests.json"
        store.write_text(content.replace("sha256:x", f"sha256:{file}"), encoding="utf-8")
        assert self.look(file) == checksums.file_digest(file)
        assert list(json.loads(store.read_text(encoding="utf-8")).values())[-1][0] == 1000

    def test_store_that_cannot_be_written_is_left_out(self, file: Path) -> None:
        digests = FileDigests(file / "digests.json")
        digests.digest(file)
        digests.save()
        assert file.read_bytes() == b"1" * 1000

    def test_missing_file_is_named(self, file: Path) -> None:
        with pytest.raises(TaipanError, match=r"cannot read .*absent: No such file"):
            FileDigests().digest(file.with_name("absent"))


def test_large_file_is_known_by_its_size_and_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """256 pieces of 1 KiB of a file of 1.5 MiB: a third of the samples lies in any third."""
    monkeypatch.setattr(checksums, "_LARGEST_READ", 1024**2)
    path, content = tmp_path / "x.root", bytearray(os.urandom(1024**2 * 3 // 2))
    path.write_bytes(content[: 1024**2])
    assert identify_file(path) == checksums.file_digest(path)
    path.write_bytes(content)
    before = identify_file(path)
    assert before.startswith("sampled:")
    path.write_bytes(content + b"0")
    assert identify_file(path) != before
    for place in (0, 800_000, len(content) - 1):
        changed = bytearray(content)
        changed[place : place + 6000] = bytes(6000)[: len(content) - place]
        path.write_bytes(changed)
        assert identify_file(path) != before
    path.write_bytes(content)
    assert identify_file(path) == before
