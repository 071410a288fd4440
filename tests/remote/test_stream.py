"""Skims of remote files: the same events as from a local one, or a clear error in time."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from taipan.errors import BadFileError, ChecksumError, UnreachableError
from taipan.remote.fetch import Expected
from taipan.remote.mirrors import Patience, RemoteFile
from taipan.remote.opening import open_root
from taipan.skim.run import Chunk, skim_chunk
from taipan.skim.source import skim_verified
from taipan.skim.storage import read_events
from tests.conftest import skim_settings
from tests.htautau import ANALYSIS
from tests.remote.conftest import EVENTS, QUICK, Served
from tests.remote.servers import (
    Faults,
    bytes_sent,
    make_certificate,
    nginx,
    odd_server,
    proxy,
)

NAME = "DYJetsToLL.root"


def skim(source: Path | RemoteFile, folder: Path, cuts: tuple[int, ...] = ()) -> list[Path]:
    """Skim in chunks divided at the entries `cuts`."""
    edges = [0, *cuts]
    stops = [*cuts, None]
    written = []
    for start, stop in zip(edges, stops, strict=True):
        events = folder / f"{start}.parquet"
        settings = skim_settings("DYJetsToLL", step_events=2000)
        cutflow = folder / f"{start}.json"
        skim_chunk(Chunk(source, start, stop), ANALYSIS, settings, events, cutflow, {})
        written.append(events)
    return written


def digest(paths: list[Path]) -> str:
    """Hash of the columns, sorted by event: whatever the order of files and chunks."""
    columns = read_events(paths, ANALYSIS.columns)
    order = np.lexsort((columns["event"], columns["luminosityBlock"], columns["run"]))
    total = hashlib.sha256()
    for name in sorted(columns):
        total.update(name.encode() + np.ascontiguousarray(columns[name][order]).tobytes())
    return total.hexdigest()


@pytest.fixture(scope="session")
def local(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Hash of the events of the local file."""
    return digest(skim(folder / NAME, tmp_path_factory.mktemp("local")))


@pytest.mark.parametrize("cuts", [(), (1601, 3000)])
def test_same_events_from_everywhere(
    served: Served, scheme: str, local: str, tmp_path: Path, cuts: tuple[int, ...]
) -> None:
    with RemoteFile(NAME, [served.base(scheme)], QUICK) as remote:
        parts = skim(remote, tmp_path, cuts)
    assert digest(list(reversed(parts))) == local


def test_https(
    http_server: Served, local: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same events, but not from a server whose certificate nobody vouches for."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    run = tmp_path / "run"
    run.mkdir()
    make_certificate(tmp_path / "server.pem")
    with nginx(http_server.folder, run, tmp_path / "server.pem") as port:
        base = http_server.base("https", port)
        with (
            RemoteFile(NAME, [base], QUICK) as remote,
            pytest.raises(UnreachableError, match="(?i)certificate"),
        ):
            skim(remote, tmp_path / "out")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "server.pem"))
        with RemoteFile(NAME, [base], QUICK) as remote:
            assert digest(skim(remote, tmp_path / "out")) == local


def test_only_what_is_needed_is_read(http_server: Served) -> None:
    size = (http_server.folder / NAME).stat().st_size
    name = "partly.root"  # of its own, to tell its lines of the log
    os.link(http_server.folder / NAME, http_server.folder / name)
    with RemoteFile(name, [http_server.base("http")], QUICK) as remote:
        found = open_root(remote)["Events"].arrays(["MET_pt"], library="np")
    sent = bytes_sent(http_server.http_log, name, remote.bytes_read)
    assert len(found["MET_pt"]) == EVENTS
    assert EVENTS < sent < 0.2 * size


def test_refused_connection_leads_to_the_next_mirror(
    served: Served, scheme: str, local: str, tmp_path: Path, dead_port: int
) -> None:
    mirrors = [served.base(scheme, dead_port), served.base(scheme)]
    with RemoteFile(NAME, mirrors, QUICK) as remote:
        assert digest(skim(remote, tmp_path)) == local
        assert str(remote).startswith(mirrors[1])


def test_one_protocol_stands_in_for_the_other(
    http_server: Served, root_server: Served, local: str, tmp_path: Path, dead_port: int
) -> None:
    mirrors = [root_server.base("root", dead_port), http_server.base("http")]
    with RemoteFile(NAME, mirrors, QUICK) as remote:
        assert digest(skim(remote, tmp_path)) == local


def test_503_for_the_first_two_tries(http_server: Served, local: str, tmp_path: Path) -> None:
    faults = Faults(unavailable=2)
    with (
        proxy(http_server.ports["http"], faults) as port,
        RemoteFile(NAME, [http_server.base("http", port)], QUICK) as remote,
    ):
        assert digest(skim(remote, tmp_path)) == local
    assert faults.unavailable == 0


def test_cut_connections(served: Served, scheme: str, local: str, tmp_path: Path) -> None:
    faults = Faults(cuts=2, cut_after=50_000)
    with (
        proxy(served.ports[scheme], faults) as port,
        RemoteFile(NAME, [served.base(scheme, port)], QUICK) as remote,
    ):
        assert digest(skim(remote, tmp_path)) == local
    assert faults.cuts == 0


def test_server_without_ranges_is_not_used() -> None:
    """It would send the whole file for each basket."""
    with (
        odd_server(lambda start, stop: (200, {}, bytes(5000))) as port,
        RemoteFile(NAME, [f"http://127.0.0.1:{port}"], QUICK) as remote,
        pytest.raises(UnreachableError, match="after 1 tries.*does not answer range requests"),
    ):
        remote.read([(0, 10)])


@pytest.mark.parametrize(("sent", "fault"), [(-3, "ended 3 bytes early"), (3, "sends more than")])
def test_range_of_another_length_is_not_taken(sent: int, fault: str) -> None:
    def answer(start: int, stop: int) -> tuple[int, dict[str, str], bytes]:
        length = stop - start + (sent if stop - start > 1 else 0)
        return 206, {"Content-Range": f"bytes {start}-{stop - 1}/5000"}, bytes(length)

    with (
        odd_server(answer) as port,
        RemoteFile(NAME, [f"http://127.0.0.1:{port}"], QUICK) as remote,
        pytest.raises(UnreachableError, match=fault),
    ):
        remote.read([(0, 10)])


def test_server_that_begins_to_hang(served: Served, scheme: str, tmp_path: Path) -> None:
    """It answers when the file is opened and no longer when the events are read."""
    patience = Patience(retries=1, backoff=0.1, timeout=1.0, give_up_after=40.0, min_speed=100.0)
    faults = Faults()
    with (
        proxy(served.ports[scheme], faults) as port,
        RemoteFile(NAME, [served.base(scheme, port)], patience) as remote,
    ):
        assert remote.size > 0
        faults.hang = faults.freeze = True
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="could not be read after 2 tries"):
            skim(remote, tmp_path)
        assert time.monotonic() - began < patience.give_up_after
    assert not list(tmp_path.iterdir())


def test_server_that_begins_to_drip(served: Served, scheme: str, tmp_path: Path) -> None:
    """Each byte comes in time; the basket never does."""
    patience = Patience(retries=1, backoff=0.1, timeout=1.0, give_up_after=3.0, min_speed=100.0)
    faults = Faults()
    with (
        proxy(served.ports[scheme], faults) as port,
        RemoteFile(NAME, [served.base(scheme, port)], patience) as remote,
    ):
        assert remote.size > 0
        faults.drip_after = 3_000
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="could not be read after"):
            skim(remote, tmp_path)
        assert time.monotonic() - began < 10 * patience.give_up_after
    assert not list(tmp_path.iterdir())


def test_unreachable_events_are_named(http_server: Served, tmp_path: Path) -> None:
    """A server that goes away between two steps: the message says which entries are missing."""
    run = tmp_path / "run"
    run.mkdir()
    patience = Patience(retries=0, backoff=0.1, timeout=1.0, give_up_after=5.0, min_speed=100.0)
    with nginx(http_server.folder, run) as port:
        remote = RemoteFile(NAME, [http_server.base("http", port)], patience)
        tree = open_root(remote)["Events"]
    from taipan.skim.run import _read

    with remote, pytest.raises(UnreachableError, match=f"{NAME}: entries 100 to 200: {NAME}"):
        _read(tree, ("MET_pt",), 100, 200, Chunk(remote))


def test_changed_bytes_name_the_entries(served: Served, scheme: str, tmp_path: Path) -> None:
    with (
        RemoteFile("changed.root", [served.base(scheme)], QUICK) as remote,
        pytest.raises(BadFileError, match=r"changed.root: entries \d+ to \d+ cannot be read"),
    ):
        skim(remote, tmp_path)
    assert not list(tmp_path.iterdir())


def test_truncated_file_names_the_entries(served: Served, scheme: str, tmp_path: Path) -> None:
    with RemoteFile("truncated.root", [served.base(scheme)], QUICK) as remote:
        chunk = Chunk(remote, 100, 200)
        settings = skim_settings("DYJetsToLL")
        with pytest.raises(BadFileError, match=r"truncated.root.*entries 100 to 200"):
            skim_chunk(chunk, ANALYSIS, settings, tmp_path / "e", tmp_path / "c", {})
    assert not list(tmp_path.iterdir())


def test_file_of_another_size_is_not_read(served: Served, scheme: str, tmp_path: Path) -> None:
    with (
        RemoteFile(NAME, [served.base(scheme)], QUICK, size=12345) as remote,
        pytest.raises(BadFileError, match="bytes, expected are 12345"),
    ):
        skim(remote, tmp_path)


def test_file_replaced_while_it_is_read(http_server: Served, tmp_path: Path) -> None:
    files, run = tmp_path / "files", tmp_path / "run"
    files.mkdir()
    run.mkdir()
    content = (http_server.folder / NAME).read_bytes()
    (files / NAME).write_bytes(content)
    with (
        nginx(files, run) as port,
        RemoteFile(NAME, [http_server.base("http", port)], QUICK) as remote,
    ):
        assert remote.read([(0, 4)]) == [b"root"]
        time.sleep(1.1)  # nginx's validator has whole seconds
        (files / "new").write_bytes(content[:4] + bytes(100) + content[104:])
        (files / "new").rename(files / NAME)
        with pytest.raises(BadFileError, match="replaced while it was read"):
            remote.read([(0, 4)])


def verified(
    source: Path | RemoteFile, folder: Path, expected: Expected, on_bad_file: str = "fail"
) -> object:
    settings = skim_settings("DYJetsToLL")
    return skim_verified(
        Chunk(source),
        ANALYSIS,
        settings,
        folder / "events.parquet",
        folder / "cutflow.json",
        {},
        expected=expected,
        on_bad_file=on_bad_file,
    )


def test_checksum_of_the_xrootd_server_is_compared(
    root_server: Served, adler32: str, tmp_path: Path
) -> None:
    with RemoteFile(NAME, [root_server.base("root")], QUICK) as remote:
        assert remote.adler32() == adler32
        assert verified(remote, tmp_path, Expected(adler32=adler32)) is not None
    with (
        RemoteFile("changed.root", [root_server.base("root")], QUICK) as remote,
        pytest.raises(ChecksumError, match=f"the catalogue has {adler32}"),
    ):
        verified(remote, tmp_path, Expected(adler32=adler32), "skip")


def test_web_server_has_no_checksum(
    http_server: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        RemoteFile(NAME, [http_server.base("http")], QUICK) as remote,
        caplog.at_level(logging.INFO, "taipan"),
    ):
        verified(remote, tmp_path, Expected(adler32="00000000"))
    assert "no checksum to compare; the content is not verified" in caplog.text


@pytest.mark.parametrize("name", ["changed.root", "truncated.root"])
def test_damaged_chunk_may_be_skipped(
    folder: Path, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BadFileError):
        verified(folder / name, tmp_path, Expected())
    assert not list(tmp_path.iterdir())
    with caplog.at_level(logging.WARNING, "taipan"):
        assert verified(folder / name, tmp_path, Expected(), "skip") is None
    assert f"skipped: {folder / name}" in caplog.text
    record = json.loads((tmp_path / "cutflow.json").read_text(encoding="utf-8"))
    assert record["cuts"] == []
    assert record["skipped"].startswith(name)  # without the folder, which is no result
    assert (record["dataset"], record["start"], record["stop"]) == ("DYJetsToLL", 0, None)
    assert pq.read_metadata(tmp_path / "events.parquet").num_rows == 0
    assert len(read_events([tmp_path / "events.parquet"], ANALYSIS.columns)["event"]) == 0


def test_unreachable_or_wrong_file_is_never_skipped(
    folder: Path, tmp_path: Path, dead_port: int
) -> None:
    nowhere = [f"http://127.0.0.1:{dead_port}"]
    with RemoteFile(NAME, nowhere, QUICK) as remote, pytest.raises(UnreachableError):
        verified(remote, tmp_path, Expected(), "skip")
    with pytest.raises(ChecksumError):
        verified(folder / NAME, tmp_path, Expected(adler32="00000000"), "skip")
    assert not list(tmp_path.iterdir())


def test_size_of_the_catalogue_is_compared(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="bytes, the catalogue has 7"):
        verified(folder / NAME, tmp_path, Expected(size=7))
