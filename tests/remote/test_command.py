"""The command ``taipan skim`` on URLs."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from taipan.atomic import read_json
from taipan.cli.main import main
from tests.remote.conftest import Served

NAME = "DYJetsToLL.root"


def skim(folder: Path, *arguments: Path | str) -> int:
    """Skim in chunks, without much patience."""
    overlay = folder / "overlay.yaml"
    text = "skim: {chunk_events: 2000}\nremote: {retries: 0, timeout: 15}\n"
    overlay.write_text(text, encoding="utf-8")
    options = ("--out", folder / "out.parquet", "--cutflow", folder / "flow.json")
    return main(["skim", *map(str, (*arguments, *options, "--config", overlay))])


def url(base: str, name: str = NAME) -> str:
    return f"{base}{'' if base.endswith('/') else '/'}{name}"


def test_same_events_as_of_the_local_file(
    served: Served, scheme: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A URL was taken for a path, of which two slashes became one."""
    local, remote = tmp_path / "local", tmp_path / "remote"
    for folder in (local, remote):
        folder.mkdir()
    assert skim(local, served.folder / NAME) == 0
    printed = capsys.readouterr().out
    assert skim(remote, url(served.base(scheme)), "--threads", "2") == 0
    assert capsys.readouterr().out == printed.replace(str(local), str(remote))
    one, other = (pq.read_table(folder / "out.parquet") for folder in (local, remote))
    assert one.num_rows > 500
    assert one.equals(other)
    assert read_json(local / "flow.json") == read_json(remote / "flow.json")


def test_query_belongs_to_the_url(http_server: Served, tmp_path: Path) -> None:
    assert skim(tmp_path, url(http_server.base("http")) + "?token=a/b") == 0
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows > 500


def test_fault_is_an_error_without_output(
    served: Served,
    scheme: str,
    tmp_path: Path,
    dead_port: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for bad, message in (
        (url(served.base(scheme), "absent.root"), "absent.root could not be read after 1 tries"),
        (url(served.base(scheme), "truncated.root"), "is truncated: "),
        (url(served.base(scheme), "changed.root"), "cannot be read: "),
        (url(served.base(scheme, dead_port)), f"{NAME} could not be read after 1 tries"),
    ):
        assert skim(tmp_path, served.folder / NAME, bad) == 1
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("taipan: error: ")
        assert message in error
        assert bad in error
        assert [path.name for path in tmp_path.iterdir()] == ["overlay.yaml"]
    assert skim(tmp_path, url(served.base(scheme)), url(served.base(scheme))) == 1
    assert "is given twice" in capsys.readouterr().err
