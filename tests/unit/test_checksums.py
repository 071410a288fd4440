"""Damaged files of the workflow are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from taipan.atomic import write_json
from taipan.checksums import record_files, record_path, verify_files
from taipan.errors import TaipanError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.parquet"
    path.write_bytes(bytes(range(256)) * 100)
    record_files([path])
    return path


def test_whole_file_passes(file: Path) -> None:
    verify_files([file])


def test_every_kind_of_damage_is_named(file: Path) -> None:
    content = file.read_bytes()
    flipped = bytearray(content)
    flipped[12345] ^= 1
    file.write_bytes(bytes(flipped))
    with pytest.raises(TaipanError, match=r"events\.parquet is damaged: its content"):
        verify_files([file])
    file.write_bytes(content[:-1])
    with pytest.raises(TaipanError, match="25599 bytes, 25600 were written"):
        verify_files([file])
    file.unlink()
    with pytest.raises(TaipanError, match="is missing"):
        verify_files([file])


def test_foreign_file_is_not_verified(file: Path) -> None:
    record_path(file).unlink()
    file.write_bytes(b"something else")
    verify_files([file])


def test_files_of_a_folder(tmp_path: Path, file: Path) -> None:
    record_files([tmp_path])
    verify_files([tmp_path])
    assert [path.name for path in (tmp_path / ".checksums").iterdir()] == ["events.parquet.json"]
    file.write_bytes(b"")
    with pytest.raises(TaipanError, match="damaged"):
        verify_files([tmp_path])


@pytest.mark.parametrize("record", [{}, {"bytes": 25600}, {"sha256": 1, "bytes": 25600}, [], "x"])
def test_damaged_record_is_named(file: Path, record: object) -> None:
    """It raised a KeyError."""
    write_json(record_path(file), record)
    with pytest.raises(TaipanError, match=r"\.checksums/events\.parquet\.json is damaged"):
        verify_files([file])


def test_unreadable_record_is_named(file: Path) -> None:
    record_path(file).write_text('{"sha256": "', encoding="utf-8")
    with pytest.raises(TaipanError, match=r"events\.parquet\.json is not valid JSON"):
        verify_files([file])
