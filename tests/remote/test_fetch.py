"""Downloads from real servers, undisturbed and disturbed."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from pathlib import Path

import pytest

from taipan.errors import BadFileError, ChecksumError, TaipanError, UnreachableError
from taipan.remote.fetch import RECEIPT, Expected, compare_size, fetch_file, verify_content
from taipan.remote.mirrors import Patience
from tests.remote.conftest import QUICK, Served
from tests.remote.servers import Faults, bytes_sent, proxy

NAME = "DYJetsToLL.root"


@pytest.fixture
def expected(folder: Path, adler32: str) -> Expected:
    return Expected((folder / NAME).stat().st_size, adler32)


def is_whole(target: Path, served: Served) -> bool:
    receipt = target.with_name(target.name + RECEIPT)
    left = {path.name for path in target.parent.iterdir()}
    assert left == {target.name, receipt.name}, left
    return target.read_bytes() == (served.folder / NAME).read_bytes()


def test_file_and_receipt(served: Served, scheme: str, expected: Expected, tmp_path: Path) -> None:
    target = tmp_path / "deep" / NAME
    fetch_file(target, [served.base(scheme)], expected, QUICK)
    assert is_whole(target, served)
    receipt = json.loads((tmp_path / "deep" / (NAME + RECEIPT)).read_text(encoding="utf-8"))
    assert receipt == {
        "file": NAME,
        "size": expected.size,
        "adler32": expected.adler32,
        "sha256": None,
    }


def test_unknown_size_and_checksum_are_said(
    served: Served, scheme: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "taipan"):
        fetch_file(tmp_path / NAME, [served.base(scheme)], Expected(), QUICK)
    assert is_whole(tmp_path / NAME, served)
    assert "the catalogue has no checksum; the content is not verified" in caplog.text


def test_refused_connection_leads_to_the_next_mirror(
    served: Served, scheme: str, expected: Expected, tmp_path: Path, dead_port: int
) -> None:
    dead = served.base(scheme, dead_port)
    fetch_file(tmp_path / NAME, [dead, served.base(scheme)], expected, QUICK)
    assert is_whole(tmp_path / NAME, served)


def test_refused_connection_everywhere(
    served: Served, scheme: str, expected: Expected, tmp_path: Path, dead_port: int
) -> None:
    dead = served.base(scheme, dead_port)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=f"{NAME} could not be read after 4 tries") as caught:
        fetch_file(tmp_path / NAME, [dead], expected, QUICK)
    assert f"{dead.rstrip('/')}{'//' if scheme == 'root' else '/'}{NAME}: " in str(caught.value)
    assert time.monotonic() - began < QUICK.give_up_after
    assert not list(tmp_path.glob(NAME))


def test_503_for_the_first_two_tries(
    http_server: Served, expected: Expected, tmp_path: Path
) -> None:
    faults = Faults(unavailable=2)
    with proxy(http_server.ports["http"], faults) as port:
        fetch_file(tmp_path / NAME, [http_server.base("http", port)], expected, QUICK)
    assert faults.seen >= 3
    assert is_whole(tmp_path / NAME, http_server)


def test_503_for_longer_than_is_waited_for(
    http_server: Served, expected: Expected, tmp_path: Path
) -> None:
    faults = Faults(unavailable=100)
    with (
        proxy(http_server.ports["http"], faults) as port,
        pytest.raises(UnreachableError, match="HTTP status 503"),
    ):
        fetch_file(tmp_path / NAME, [http_server.base("http", port)], expected, QUICK)
    assert faults.seen == QUICK.retries + 1
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("has_checksum", [True, False])
def test_cut_in_mid_file_goes_on_where_it_was(
    served: Served,
    scheme: str,
    expected: Expected,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_checksum: bool,
) -> None:
    """More cuts than retries: each attempt brings something, which counts as progress."""
    assert expected.size is not None
    faults = Faults(cuts=6, cut_after=expected.size // 8)
    wanted = expected if has_checksum else Expected()
    patience = Patience(**{**vars(QUICK), "retries": 2})
    monkeypatch.setattr("taipan.remote.xrootd._PIECE", 32 * 1024)
    with proxy(served.ports[scheme], faults) as port:
        fetch_file(tmp_path / NAME, [served.base(scheme, port)], wanted, patience)
    assert faults.cuts == 0
    assert is_whole(tmp_path / NAME, served)


def test_later_call_resumes(http_server: Served, expected: Expected, tmp_path: Path) -> None:
    assert expected.size is not None
    half = expected.size // 2
    name = "resumed.root"  # of its own, to tell its lines of the log
    os.link(http_server.folder / NAME, http_server.folder / name)
    (tmp_path / f"{name}.part").write_bytes((http_server.folder / NAME).read_bytes()[:half])
    fetch_file(tmp_path / name, [http_server.base("http")], expected, QUICK)
    assert is_whole(tmp_path / name, http_server)
    sent = bytes_sent(http_server.http_log, name, expected.size - half)
    assert sent < 0.6 * expected.size


def test_part_of_unknown_origin_is_not_used_without_a_checksum(
    served: Served, scheme: str, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"something else")
    fetch_file(tmp_path / NAME, [served.base(scheme)], Expected(), QUICK)
    assert is_whole(tmp_path / NAME, served)


def test_spoilt_part_is_dropped(
    served: Served, scheme: str, expected: Expected, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(bytes(1000))
    fetch_file(tmp_path / NAME, [served.base(scheme)], expected, QUICK)
    assert is_whole(tmp_path / NAME, served)


def test_changed_bytes(served: Served, scheme: str, adler32: str, tmp_path: Path) -> None:
    size = (served.folder / "changed.root").stat().st_size
    with pytest.raises(ChecksumError, match="no mirror has the file of the catalogue") as caught:
        fetch_file(tmp_path / "changed.root", [served.base(scheme)], Expected(size, adler32), QUICK)
    assert f"Adler-32 is {adler32_of(served.folder / 'changed.root')}" in str(caught.value)
    assert f"the catalogue has {adler32}" in str(caught.value)
    assert not list(tmp_path.iterdir())


def adler32_of(path: Path) -> str:
    import zlib

    return f"{zlib.adler32(path.read_bytes()):08x}"


def test_truncated_file_on_the_server(
    served: Served, scheme: str, expected: Expected, tmp_path: Path
) -> None:
    with pytest.raises(ChecksumError, match=f"bytes, expected are {expected.size}"):
        fetch_file(tmp_path / "truncated.root", [served.base(scheme)], expected, QUICK)
    assert not list(tmp_path.iterdir())


def test_good_mirror_after_a_changed_one(
    http_server: Served, expected: Expected, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    spoilt = other / NAME
    spoilt.write_bytes((http_server.folder / "changed.root").read_bytes())
    from tests.remote.servers import nginx

    run = tmp_path / "run"
    run.mkdir()
    with nginx(other, run) as port:
        mirrors = [http_server.base("http", port), http_server.base("http")]
        fetch_file(tmp_path / "out" / NAME, mirrors, expected, QUICK)
    assert is_whole(tmp_path / "out" / NAME, http_server)


def test_last_mirror_is_asked_although_another_one_is_gone(
    expected: Expected, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong bytes from the first, which then goes away, once ended the download."""
    asked = []

    def download(part: Path, name: str, mirrors: list[str], *_: object) -> None:
        asked.append(mirrors)
        if len(asked) == 2:
            raise UnreachableError("gone")
        part.write_bytes((folder / ("changed.root" if len(asked) == 1 else NAME)).read_bytes())

    monkeypatch.setattr("taipan.remote.fetch._download", download)
    fetch_file(tmp_path / NAME, ["http://a", "http://b"], expected, QUICK)
    assert asked == [["http://a", "http://b"], ["http://a"], ["http://b"]]
    assert (tmp_path / NAME).is_file()


def test_server_that_hangs(served: Served, scheme: str, expected: Expected, tmp_path: Path) -> None:
    patience = Patience(retries=1, backoff=0.1, timeout=1.0, give_up_after=50.0, min_speed=1.0)
    began = time.monotonic()
    with (
        proxy(served.ports[scheme], Faults(hang=True)) as port,
        pytest.raises(UnreachableError, match="could not be read after 2 tries"),
    ):
        fetch_file(tmp_path / NAME, [served.base(scheme, port)], expected, patience)
    assert time.monotonic() - began < patience.give_up_after
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("after", [20, 100_000])
def test_server_that_drips(
    served: Served, scheme: str, expected: Expected, tmp_path: Path, after: int
) -> None:
    """A byte every 0.3 s, of the headers or the content, is no timeout of a read."""
    patience = Patience(retries=3, backoff=0.1, timeout=1.0, give_up_after=3.0, min_speed=100.0)
    began = time.monotonic()
    with (
        proxy(served.ports[scheme], Faults(drip_after=after)) as port,
        pytest.raises(UnreachableError, match=f"{NAME} could not be read after"),
    ):
        fetch_file(tmp_path / NAME, [served.base(scheme, port)], expected, patience)
    assert time.monotonic() - began < 10 * patience.give_up_after
    assert not (tmp_path / NAME).exists()


def test_total_time_is_bounded_whatever_the_retries(
    http_server: Served, expected: Expected, tmp_path: Path, dead_port: int
) -> None:
    patience = Patience(
        retries=1000, backoff=0.05, timeout=1.0, give_up_after=2.0, min_speed=1000.0
    )
    began = time.monotonic()
    dead = http_server.base("http", dead_port)
    with pytest.raises(UnreachableError):
        fetch_file(tmp_path / NAME, [dead], expected, patience)
    assert time.monotonic() - began < 20.0


def test_absent_file_is_not_asked_for_again(served: Served, scheme: str, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="absent.root could not be read after 1 tries"):
        fetch_file(tmp_path / "absent.root", [served.base(scheme)], Expected(), QUICK)


def test_file_that_is_there_is_verified_not_fetched(expected: Expected, folder: Path) -> None:
    nowhere = ["http://127.0.0.1:1"]
    fetch_file(folder / NAME, nowhere, expected, QUICK)
    receipt = folder / (NAME + RECEIPT)
    assert receipt.is_file()
    receipt.unlink()
    with pytest.raises(ChecksumError, match="move it away to fetch it again"):
        fetch_file(folder / "changed.root", nowhere, expected, QUICK)
    with pytest.raises(BadFileError, match="bytes, the catalogue has"):
        fetch_file(folder / "truncated.root", nowhere, expected, QUICK)


def test_checksums(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    path.write_bytes(b"abc")
    # of "abc": Adler-32 by hand (1+294=295, 98+197... as RFC 1950), SHA-256 of FIPS 180-2
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hashlib.sha256(b"abc").hexdigest() == sha256
    verify_content(path, Expected(3, "024d0127", sha256))
    compare_size(path, Expected(3))
    with pytest.raises(ChecksumError, match=r"a.root: SHA-256 is ba7816.*catalogue has 000"):
        verify_content(path, Expected(sha256="0" * 64))
    with pytest.raises(ChecksumError, match=r"a.root: Adler-32 is 024d0127, the catalogue has 0"):
        verify_content(path, Expected(adler32="0" * 8))
    with pytest.raises(BadFileError, match="3 bytes, the catalogue has 4"):
        compare_size(path, Expected(4))
    with pytest.raises(TaipanError, match="cannot read"):
        compare_size(tmp_path / "b.root", Expected(4))


def test_folder_that_cannot_be_written(expected: Expected, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TaipanError, match="cannot write"):
        fetch_file(tmp_path / "file" / NAME, ["http://127.0.0.1:1"], expected, QUICK)
