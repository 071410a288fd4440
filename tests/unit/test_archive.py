"""Files out of ZIP archives, the download of the archive itself left to other tests."""

from __future__ import annotations

import hashlib
import logging
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taipan.errors import BadFileError, ChecksumError
from taipan.remote import archive
from taipan.remote.archive import fetch_member
from taipan.remote.fetch import RECEIPT, Expected
from taipan.remote.mirrors import Patience

CONTENT = np.random.default_rng(1).bytes(200_000)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Archive on the only mirror."""
    packed = tmp_path / "mirror" / "all.zip"
    packed.parent.mkdir()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("inside/t.parquet", CONTENT)

    def copy(target: Path, mirrors: list[str], expected: Expected, patience: Any) -> None:
        assert mirrors == ["https://host/files"]
        shutil.copyfile(packed, target)

    monkeypatch.setattr(archive, "fetch_file", copy)
    return packed


def fetch(target: Path, expected: Expected | None = None) -> None:
    patience = Patience(1.0, 1, 0.0, 10.0, 1.0)
    fetch_member(target, "all.zip", ["https://host/files"], expected or Expected(), patience)


def test_a_file_is_taken_out_of_its_archive(served: Path, tmp_path: Path) -> None:
    target = tmp_path / "t.parquet"
    fetch(target, Expected(size=len(CONTENT)))
    assert target.read_bytes() == CONTENT
    assert Path(f"{target}{RECEIPT}").is_file()
    served.write_bytes(b"gone")
    fetch(target)  # it is there already


def test_a_member_without_checksum_is_said_to_be_unverified(
    served: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As a file that lies on the mirror itself: the catalogue of the challenge has no checksum."""
    target = tmp_path / "t.parquet"
    unverified = "t.parquet: the catalogue has no checksum; the content is not verified"
    with caplog.at_level(logging.INFO):
        fetch(target)
    assert unverified in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        fetch(target, Expected(sha256=hashlib.sha256(CONTENT).hexdigest()))
    assert unverified not in caplog.text
    assert "t.parquet: checksum verified" in caplog.text
    with pytest.raises(ChecksumError, match="SHA-256 is .*, the catalogue has 00"):
        fetch(target, Expected(sha256="00" * 32))


def test_a_damaged_archive_leaves_no_file(served: Path, tmp_path: Path) -> None:
    damaged = bytearray(served.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    served.write_bytes(bytes(damaged))
    with pytest.raises(BadFileError, match=r"all.zip is damaged: .*delete it to fetch it again"):
        fetch(tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet").exists()


def test_an_archive_without_the_file_is_refused(served: Path, tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match=r"holds 0 files o.parquet \(inside/t.parquet\)"):
        fetch(tmp_path / "o.parquet")
    with pytest.raises(BadFileError, match="200000 bytes, the catalogue has 5"):
        fetch(tmp_path / "t.parquet", Expected(size=5))
